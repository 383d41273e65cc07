// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/service/notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace synward::service {

// Results are ignored on purpose: there is nobody else to tell, and systemd's own timeouts catch a
// message that never arrives.
void notify_ready() {
  sd_notify(0, "READY=1");
}
void notify_reloading() {
  sd_notify(0, "RELOADING=1");
}
void notify_stopping() {
  sd_notify(0, "STOPPING=1");
}
void notify_watchdog() {
  sd_notify(0, "WATCHDOG=1");
}

void notify_status(std::string_view text) {
  std::string message = "STATUS=" + std::string(text);
  std::ranges::replace(message, '\n', ' ');  // a newline would begin another assignment
  sd_notify(0, message.c_str());
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

}  // namespace synward::service
