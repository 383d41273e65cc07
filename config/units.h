// SPDX-License-Identifier: GPL-2.0-or-later
//
// The values of the file: from text, and back for --dump-config. Nothing here knows keys or places;
// an error is the end of a sentence that starts with the key, and names the range.
//
// Numbers are decimal digits and nothing else: `010` is ten, and `1_000`, `+1`, `1e3`, `0x10` are
// refused rather than guessed at.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace synward::config {

template <typename Value>
using Parsed = std::expected<Value, std::string>;

bool is_decimal(std::string_view text);  // digits, and nothing else

// 65536
struct NumberIn {
  std::uint32_t min, max;
  Parsed<std::uint32_t> operator()(std::string_view text) const;
};

// A number, or the word that stands for nullopt: `auto`, `off`.
struct NumberOr {
  std::string_view word;
  NumberIn range;
  Parsed<std::optional<std::uint32_t>> operator()(std::string_view text) const;
};

// 200ms, 1s, 2h10m: units from the largest down, each at most once.
struct DurationIn {
  milliseconds min, max;
  Parsed<milliseconds> operator()(std::string_view text) const;
};

// 16KiB, 64MiB, 1GiB
struct SizeIn {
  std::uint64_t min_bytes, max_bytes;
  Parsed<std::uint64_t> operator()(std::string_view text) const;
};

// 20000/s
struct RateIn {
  std::uint32_t min, max;
  Parsed<std::uint32_t> operator()(std::string_view text) const;
};

// 80%
struct PercentIn {
  std::uint32_t min, max;
  Parsed<std::uint32_t> operator()(std::string_view text) const;
};

// 0x53590000/0xffff0000, each part in hexadecimal or decimal.
struct MarkWithMask {
  Parsed<Mark> operator()(std::string_view text) const;
};

std::string format_duration(milliseconds duration);
// In whole KiB: the sizes a file can hold.
std::string format_size(std::uint64_t bytes);
std::string format_mark(Mark mark);

}  // namespace synward::config
