// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace synward::config {
namespace {

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7f;
}

bool is_layout(char character) {
  return character == '\t' || character == '\n' || character == '\r';
}

// The four shapes of a UTF-8 character (RFC 3629 section 3): the bits that mark the leading byte,
// the length, and the smallest value that may not be written shorter.
struct Utf8Shape {
  unsigned mask;
  unsigned marker;
  std::size_t length;
  std::uint32_t smallest;
};
constexpr std::array<Utf8Shape, 4> utf8_shapes{
    {{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}}};

// The length of the character at the start of the text, 0 if it is none.
std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  for (const auto& [mask, marker, length, smallest] : utf8_shapes) {
    if ((lead & mask) != marker) continue;
    if (text.size() < length) return 0;
    std::uint32_t value = lead & ~mask;
    for (const char follower : text.substr(1, length - 1)) {
      const auto byte = static_cast<unsigned char>(follower);
      if ((byte & 0xc0) != 0x80) return 0;
      value = value << 6 | (byte & 0x3f);
    }
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    return value < smallest || value > 0x10ffff || surrogate ? 0 : length;
  }
  return 0;
}

}  // namespace

std::optional<BadByte> find_bad_byte(std::string_view text) {
  Place place;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (length == 0) return BadByte{place, fmt::format("byte 0x{:02x} is not UTF-8 text", byte)};
    if (is_control(text.front()) && !is_layout(text.front())) {
      return BadByte{place, fmt::format("control character 0x{:02x}", byte)};
    }
    place.column += static_cast<int>(length);
    if (text.front() == '\n') place = {place.line + 1, 1};
    text.remove_prefix(length);
  }
  return std::nullopt;
}

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, is_control);
}

}  // namespace synward::config
