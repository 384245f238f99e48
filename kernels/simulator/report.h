// What the simulator says when a kernel does what hardware leaves undefined, or what can never end.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

namespace pyengine::simulator {

struct SimulatorError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Dim3 {
    unsigned x = 1, y = 1, z = 1;
    constexpr std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

/// Where in the kernel's source: "softmax.cu:41", with the places it was inlined into behind it; the address where the machine cannot tell.
std::string source_line(const void* code);
/// Whether two return addresses are of one call in the source: the compiler may have made copies of it.
bool same_call(const void* a, const void* b);
/// The name of the function that begins there.
std::string function_name(const void* code);

std::string to_text(Dim3 index);

template <typename... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

}  // namespace pyengine::simulator
