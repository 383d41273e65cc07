// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <expected>
#include <string>
#include <string_view>

namespace synward::service {

// Exit statuses of the contract (sysexits.h names the last two).
inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 64;
inline constexpr int exit_config = 78;

struct Args {
  std::string config_file = "/etc/synward/synward.yaml";
  bool check_config = false;
  bool dump_config = false;
  bool verbose = false;
};

// The command line asks for no more than a text: help or version (exit_ok, for stdout), or the
// complaint about a wrong usage (exit_usage, for stderr).
struct EarlyExit {
  int status = exit_ok;
  std::string text;
};

std::expected<Args, EarlyExit> parse_args(int argc, const char* const* argv);

std::string_view version();  // "1.2.3"

}  // namespace synward::service
