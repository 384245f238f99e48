#include "csrc/precision.h"

#include <atomic>

namespace pyengine {
namespace {

std::atomic<bool> chosen{false};

}  // namespace

bool tf32_allowed() { return chosen; }

void allow_tf32(bool allowed) { chosen = allowed; }

}  // namespace pyengine
