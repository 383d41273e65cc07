// SPDX-License-Identifier: GPL-2.0-or-later
//
// The only clock reads of the program.
#pragma once
#include "proxy/time.h"

namespace synward::io {

Instant now();           // CLOCK_BOOTTIME
Duration wall_offset();  // CLOCK_REALTIME minus CLOCK_BOOTTIME

}  // namespace synward::io
