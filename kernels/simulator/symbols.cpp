#include "kernels/simulator/symbols.h"

#include <dlfcn.h>

#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace pyengine::simulator {
namespace {

template <typename T>
std::vector<T> read(std::ifstream& file, std::size_t offset, std::size_t bytes) {
    std::vector<T> values(bytes / sizeof(T));
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(bytes));
    return file ? values : std::vector<T>{};
}

/// How the names of a function's static variables begin (Itanium C++ ABI, section 5.1.6).
std::string prefix_of_variables(const std::string& function) {
    const bool mangled = function.starts_with("_Z");
    return "_ZZ" + (mangled ? function.substr(2) : std::to_string(function.size()) + function) + "E";
}

std::size_t add_up(const void* kernel) {
    static std::map<std::string, Symbols> files;
    Dl_info info{};
    if (!dladdr(kernel, &info) || !info.dli_fname) return 0;
    const auto [file, fresh] = files.try_emplace(info.dli_fname);
    if (fresh) file->second = symbols_in(info.dli_fname);
    const Symbols& symbols = file->second;
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(kernel) - static_cast<const char*>(info.dli_fbase));
    std::string prefix;
    for (const auto& symbol : symbols.all)
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_value == offset) prefix = prefix_of_variables(symbols.name(symbol));
    if (prefix.empty()) return 0;
    std::size_t bytes = 0;
    for (const auto& symbol : symbols.all)
        if (ELF64_ST_TYPE(symbol.st_info) == STT_TLS && std::string_view(symbols.name(symbol)).starts_with(prefix)) bytes += symbol.st_size;
    return bytes;
}

}  // namespace

Symbols symbols_in(const char* path) {
    std::ifstream file(path, std::ios::binary);
    const auto header = read<ElfW(Ehdr)>(file, 0, sizeof(ElfW(Ehdr)));
    if (header.empty()) return {};
    const auto sections = read<ElfW(Shdr)>(file, header[0].e_shoff, header[0].e_shnum * sizeof(ElfW(Shdr)));
    const auto strings = [&](std::size_t i) { return read<char>(file, sections[i].sh_offset, sections[i].sh_size); };
    for (const auto& section : sections)
        if (section.sh_type == SHT_SYMTAB)
            return {read<ElfW(Sym)>(file, section.sh_offset, section.sh_size), sections, strings(section.sh_link),
                    strings(header[0].e_shstrndx)};
    return {};
}

std::size_t static_shared_bytes(const void* kernel) {
    static std::mutex mutex;
    static std::map<const void*, std::size_t> known;  // reading a file takes milliseconds
    const std::lock_guard lock(mutex);
    const auto [found, fresh] = known.try_emplace(kernel, 0);
    if (fresh) found->second = add_up(kernel);
    return found->second;
}

}  // namespace pyengine::simulator
