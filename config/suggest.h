// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace synward::config {

// The candidate an operator most likely meant, or nothing where none is near: a guess that is far
// off sends people in the wrong direction.
std::optional<std::string_view> nearest(std::string_view typed,
                                        std::span<const std::string_view> candidates);

// "; did you mean 'X'?", or nothing.
std::string did_you_mean(std::optional<std::string_view> candidate);

}  // namespace synward::config
