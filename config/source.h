// SPDX-License-Identifier: GPL-2.0-or-later
//
// Questions to the text of the file that yaml-cpp's events leave open.
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "config/problem.h"

namespace synward::config {

std::string_view line_of(std::string_view text, int line);

// The line of the first YAML directive (%YAML, %TAG). yaml-cpp passes over one that it does not
// know, wherever it is.
std::optional<int> find_directive(std::string_view text);

// Whether the text starts with a quote that nothing closes. yaml-cpp 0.7 takes the end of the file
// for its end, and everything up to there for its content.
bool is_unclosed_quote(std::string_view text);

// What to say of a mistake on a line with an endpoint of IPv6 outside of quotes, which YAML takes
// for a list; else nothing.
std::string_view endpoint_hint(std::string_view line);

// The dash of an item of a list that holds nothing. Given is where yaml-cpp noticed: the place, and
// the text before it. Only blanks and comments are between the two.
Place dash_before(std::string_view text, Place noticed);

}  // namespace synward::config
