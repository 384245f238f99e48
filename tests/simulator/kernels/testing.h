// What the test kernels share: memory of the device for tests/simulator/build.py, and launches that give their report.
#pragma once

#include "kernels/cuda/cuda.h"
#include "kernels/simulator/memory.h"

namespace pyengine::kernels {
namespace {

/// What the call raises, which stays valid until the next one, or null.
template <typename Call>
const char* report_of_call(Call call) {
    static thread_local std::string message;
    try {
        call();
        return nullptr;
    } catch (const std::exception& error) {
        message = error.what();
        return message.c_str();
    }
}

/// Runs the kernel.
template <typename... Parameters>
const char* report_of(void (*kernel)(Parameters...), const LaunchShape& shape, std::type_identity_t<Parameters>... arguments) {
    return report_of_call([&] { launch(kernel, shape, arguments...); });
}

}  // namespace
}  // namespace pyengine::kernels

extern "C" {
inline __attribute__((used)) void* allocate(std::size_t bytes) { return pyengine::simulator::allocate(bytes); }
inline __attribute__((used)) void deallocate(void* data) { pyengine::simulator::deallocate(data); }
inline __attribute__((used)) void to_device(void* to, const void* from, std::size_t bytes) {
    pyengine::simulator::copy_to_device(to, from, bytes);
}
inline __attribute__((used)) void to_host(void* to, const void* from, std::size_t bytes) {
    pyengine::simulator::copy_to_host(to, from, bytes);
}
}
