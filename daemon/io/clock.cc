// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/clock.h"

#include <ctime>

namespace synward::io {
namespace {

Duration read(clockid_t clock) {
  timespec time{};
  // Cannot fail for these clocks and this pointer.
  static_cast<void>(clock_gettime(clock, &time));
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Instant now() {
  return Instant(read(CLOCK_BOOTTIME));
}

Duration wall_offset() {
  return read(CLOCK_REALTIME) - read(CLOCK_BOOTTIME);
}

}  // namespace synward::io
