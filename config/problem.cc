// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/problem.h"

#include <fmt/format.h>

#include <utility>

namespace synward::config {
namespace {

constexpr std::size_t quoted_bytes_max = 80;

bool is_continuation_byte(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// The longest beginning of the text within the bound that does not split a UTF-8 character.
std::string_view beginning(std::string_view text) {
  if (text.size() <= quoted_bytes_max) return text;
  std::size_t length = quoted_bytes_max;
  while (length > 0 && is_continuation_byte(text[length])) --length;
  return text.substr(0, length);
}

}  // namespace

void Problems::add(Place place, std::string what) {
  found_.emplace(place, std::move(what));
}

std::vector<Problem> Problems::sorted() && {
  std::vector<Problem> result;
  result.reserve(found_.size());
  for (auto& [place, what] : found_) result.push_back({place.line, place.column, std::move(what)});
  return result;
}

std::string format_problem(std::string_view file, const Problem& problem) {
  return fmt::format("{}:{}:{}: error: {}", file, problem.line, problem.column, problem.what);
}

std::string quoted(std::string_view text) {
  const std::string_view shown = beginning(text);
  std::string result = "'";
  for (const char character : shown) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += character;
    }
  }
  return result + (shown.size() < text.size() ? "...'" : "'");
}

}  // namespace synward::config
