#include "kernels/simulator/report.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace pyengine::simulator {
namespace {

std::string output_of(const std::string& command) {
    std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    if (!pipe) return {};
    std::string result;
    std::array<char, 512> part;
    while (fgets(part.data(), part.size(), pipe.get())) result += part.data();
    return result;
}

std::vector<std::string> lines_of(const std::string& all) {
    std::vector<std::string> lines;
    std::istringstream in(all);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

/// Function and place, one line each, from the innermost inlined function outwards.
std::vector<std::string> look_up(const void* code) {
    Dl_info info{};
    if (!dladdr(const_cast<void*>(code), &info) || !info.dli_fname) return {};
    const auto offset = static_cast<const char*>(code) - static_cast<const char*>(info.dli_fbase);
    std::ostringstream command;
    command << "addr2line -f -C -i -s -e '" << info.dli_fname << "' 0x" << std::hex << offset << " 2>/dev/null";
    return lines_of(output_of(command.str()));
}

std::string address_of(const void* code) {
    std::ostringstream out;
    out << code << " (for source lines, install addr2line and build with -g)";
    return out.str();
}

std::string without_discriminator(const std::string& place) { return place.substr(0, place.find(" (discriminator")); }

}  // namespace

std::string source_line(const void* code) {
    const auto lines = look_up(static_cast<const char*>(code) - 1);  // a return address: the call is before it
    std::string result;
    for (std::size_t i = 1; i < lines.size(); i += 2) {
        if (lines[i].find('?') != std::string::npos) break;
        result += (result.empty() ? "" : ", called at ") + without_discriminator(lines[i]);
        if (lines[i].find(".cu:") != std::string::npos) break;  // further out is what starts the kernel
    }
    return result.empty() ? address_of(code) : result;
}

bool same_call(const void* a, const void* b) {
    if (a == b) return true;
    static std::mutex mutex;
    static std::map<std::pair<const void*, const void*>, bool> known;  // looking up takes milliseconds
    const std::lock_guard lock(mutex);
    const auto [found, fresh] = known.try_emplace(std::minmax(a, b), false);
    if (fresh) found->second = source_line(a) == source_line(b);
    return found->second;
}

std::string function_name(const void* code) {
    const auto lines = look_up(code);
    if (lines.empty() || lines[0].find('?') != std::string::npos) return address_of(code);
    const std::string anonymous = "(anonymous namespace)::";
    std::string name = lines[0];
    for (auto at = name.find(anonymous); at != std::string::npos; at = name.find(anonymous)) name.erase(at, anonymous.size());
    return name.substr(0, name.find('('));
}

std::string to_text(Dim3 index) { return text('(', index.x, ", ", index.y, ", ", index.z, ')'); }

}  // namespace pyengine::simulator
