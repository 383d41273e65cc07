// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace synward::config {
namespace {

// Longer words than any of the schema cannot be near one, and the distance is quadratic.
constexpr std::size_t typed_length_max = 64;

// Case and the choice between dash and underscore are not what a reader sees as the difference.
std::string folded(std::string_view text) {
  std::string result(text);
  for (char& character : result) {
    character = static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
    if (character == '-') character = '_';
  }
  return result;
}

// Edits that turn one text into the other, a swap of two neighbours counting once (optimal string
// alignment): the commonest slip of a keyboard is one edit, not two.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> two_above(to.size() + 1);
  std::vector<std::size_t> above(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= from.size(); ++i) {
    two_above.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
      if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
  }
  return row[to.size()];
}

std::size_t tolerance(std::string_view candidate) {
  if (candidate.size() <= 4) return 1;
  return candidate.size() <= 8 ? 2 : 3;
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view typed,
                                        std::span<const std::string_view> candidates) {
  if (typed.empty() || typed.size() > typed_length_max) return std::nullopt;
  const std::string folded_typed = folded(typed);
  std::optional<std::string_view> best;
  std::size_t best_distance = typed_length_max;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(folded_typed, folded(candidate));
    if (distance > tolerance(candidate) || distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::optional<std::string_view> candidate) {
  return candidate ? fmt::format("; did you mean '{}'?", *candidate) : std::string();
}

}  // namespace synward::config
