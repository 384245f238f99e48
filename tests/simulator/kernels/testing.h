// What the test kernels share: memory of the device for tests/simulator/build.py, and launches that give their report.
#pragma once

#include "kernels/cuda/cuda.h"
#include "kernels/simulator/memory.h"

namespace pyengine::kernels {
namespace {

/// Runs the kernel; its report, which stays valid until the next call, or null.
template <typename... Parameters>
const char* report_of(void (*kernel)(Parameters...), const LaunchShape& shape, std::type_identity_t<Parameters>... arguments) {
    static thread_local std::string message;
    try {
        launch(kernel, shape, arguments...);
        return nullptr;
    } catch (const std::exception& error) {
        message = error.what();
        return message.c_str();
    }
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
