// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace synward::io {

// Whether this process holds the capability (effective set); `capability` is a CAP_* number.
bool has_capability(unsigned capability);

}  // namespace synward::io
