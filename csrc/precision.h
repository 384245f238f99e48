// Whether float32 factors of products may be rounded to tf32 where tensor cores multiply them: a setting of the process, off at first.
#pragma once

namespace pyengine {

bool tf32_allowed();
void allow_tf32(bool allowed);

}  // namespace pyengine
