// SPDX-License-Identifier: GPL-2.0-or-later
//
// The operator's settings held against the machine.
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/plan.h"

namespace synward {

// What must be so before anything is started, or one sentence that says what is not and which line
// cures it: capabilities, interfaces.
std::expected<void, std::string> check_host(const config::Settings& settings);
// The same of what a reload may change.
std::expected<void, std::string> check_realtime(const config::Settings& settings);
// What should be so, and does not keep us from starting: forwarding of the families in use.
std::vector<std::string> host_warnings(const config::Settings& settings);
// Why a challenge cannot go back in place (kernel.md); empty if it can.
std::vector<std::string> reply_in_place_obstacles(const config::Settings& settings);

// What links and addresses are now. False if that cannot be read; `facts` stays as it was then, and
// so does the MTU while no server interface exists.
bool read_network(const config::Settings& settings, NetworkFacts& facts);

}  // namespace synward
