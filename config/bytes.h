// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "config/problem.h"

namespace synward::config {

struct BadByte {
  Place place;
  std::string what;
};

// The first thing in the raw text that no honest file contains: a control character or bytes that
// are not UTF-8. Checked before the parser sees it, because yaml-cpp takes the byte 04 for the end
// of the file and would silently ignore everything after it.
std::optional<BadByte> find_bad_byte(std::string_view text);

// Double-quoted YAML can smuggle control characters in by escapes; in a path or a name they would
// cut a C string short.
bool has_control_character(std::string_view text);

}  // namespace synward::config
