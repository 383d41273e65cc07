// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <string>

#include "proxy/time.h"

namespace synward {

// T6: when synward first ran since this machine was booted. Connections that are older than that
// were made without it; those of a later time were translated by a daemon that is gone.
struct FirstStart {
  Instant at{};
  bool is_this_one = false;
};

inline constexpr const char* first_start_path = "/run/synward/started";

// As the file says; if it is not there, this is the first one; if it says nothing, the first one
// was long ago.
FirstStart read_first_start(const std::string& path, Instant now);
// Once the start has succeeded. Where the file cannot be written every start is the first one,
// which a warning says.
void note_first_start(const std::string& path, const FirstStart& first);

}  // namespace synward
