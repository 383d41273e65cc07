// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/capability.h"

#include <cap-ng.h>

namespace synward::io {

bool has_capability(unsigned capability) {
  // libcap-ng keeps one state per thread; read it anew, a supervisor may have changed it.
  capng_clear(CAPNG_SELECT_BOTH);
  if (capng_get_caps_process() != 0) return false;
  return capng_have_capability(CAPNG_EFFECTIVE, capability) != 0;
}

}  // namespace synward::io
