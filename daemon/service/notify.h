// SPDX-License-Identifier: GPL-2.0-or-later
//
// What systemd wants to know (sd_notify(3)). Without NOTIFY_SOCKET, that is outside of a unit of
// Type=notify, all of it does nothing.
#pragma once
#include <chrono>
#include <optional>
#include <string_view>

namespace synward::service {

void notify_ready();      // also ends a reload
void notify_reloading();  // RELOADING=1
void notify_stopping();
void notify_status(std::string_view text);  // one line, shown by systemctl status
void notify_watchdog();

// WatchdogSec= of the unit, nullopt if there is none. Call notify_watchdog() at least twice as
// often.
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace synward::service
