// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"
#include "config/settings.h"

namespace synward::config {

// Settings are only good if there are no problems; otherwise they hold what could be read.
struct Loaded {
  Settings settings;
  std::vector<Problem> problems;
};

// Neither throws: whatever is wrong with the file, unreadable included, is a problem with a place.
// Every problem is found in one run, except after a YAML syntax error.
Loaded load_file(const std::string& path);
Loaded load_text(std::string_view yaml);

}  // namespace synward::config
