// The structures of DLPack 1.x (https://dmlc.github.io/dlpack/latest/c_api.html): facts of its binary interface.
#pragma once

#include <cstdint>

namespace pyengine::dlpack {

struct Device {
    std::int32_t type;
    std::int32_t id;
};
constexpr std::int32_t device_cpu = 1, device_cuda = 2, device_cuda_host = 3;

struct DataType {
    std::uint8_t code;
    std::uint8_t bits;
    std::uint16_t lanes;
};
enum Code : std::uint8_t { code_int = 0, code_uint = 1, code_float = 2, code_bfloat = 4, code_complex = 5, code_bool = 6 };

struct Tensor {
    void* data;
    Device device;
    std::int32_t ndim;
    DataType dtype;
    std::int64_t* shape;
    std::int64_t* strides;  // in elements; null means C-contiguous
    std::uint64_t byte_offset;
};

struct Managed {  // before 1.0; capsule "dltensor"
    Tensor tensor;
    void* context;
    void (*deleter)(Managed*);
};

struct ManagedVersioned {  // capsule "dltensor_versioned"
    std::uint32_t major, minor;
    void* context;
    void (*deleter)(ManagedVersioned*);
    std::uint64_t flags;
    Tensor tensor;
};
constexpr std::uint64_t flag_read_only = 1, flag_copied = 2;

}  // namespace pyengine::dlpack
