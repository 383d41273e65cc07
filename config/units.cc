// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "config/problem.h"
#include "config/suggest.h"

namespace synward::config {
namespace {

using std::unexpected;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 4> time_units{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 3> size_units{{{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1024}}};

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
constexpr std::string_view digits = "0123456789";

std::string_view take_digits(std::string_view& text) {
  const std::string_view taken = text.substr(0, text.find_first_not_of(digits));
  text.remove_prefix(taken.size());
  return taken;
}

// What does not fit 64 bits is as far out of every range as the largest number that does.
std::uint64_t saturated(std::string_view number) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  return error == std::errc{} ? value : largest;
}

std::uint64_t saturated_product(std::uint64_t number, std::uint64_t factor) {
  return number > largest / factor ? largest : number * factor;
}

std::string out_of_range(std::string_view text, std::string_view min, std::string_view max) {
  return fmt::format("{} is out of range; the range is {} to {}", quoted(text), min, max);
}

std::string without_spaces(std::string_view text) {
  std::string result(text);
  std::erase(result, ' ');
  return result;
}

using Reader = std::optional<std::uint64_t> (*)(std::string_view);
struct Bounds {
  std::uint64_t min, max;
};

// The first of what may have been meant; not what would be refused in its turn.
std::string suggest(const std::vector<std::string>& candidates, Reader read, Bounds bounds) {
  for (const std::string& candidate : candidates) {
    const auto value = read(candidate);
    if (value && *value >= bounds.min && *value <= bounds.max) return did_you_mean(candidate);
  }
  return {};
}

Parsed<std::uint32_t> check_range(std::string_view text, NumberIn range, std::string_view suffix) {
  const std::uint64_t value = saturated(text.substr(0, text.find_first_not_of(digits)));
  if (value >= range.min && value <= range.max) return static_cast<std::uint32_t>(value);
  return unexpected(out_of_range(text, fmt::format("{}{}", range.min, suffix),
                                 fmt::format("{}{}", range.max, suffix)));
}

struct Suffix {
  std::string_view name;
  std::string_view description;
};

Parsed<std::uint32_t> parse_suffixed(std::string_view text, const Suffix& suffix, NumberIn range) {
  std::string_view rest = text;
  const std::string_view number = take_digits(rest);
  if (!number.empty() && rest == suffix.name) return check_range(text, range, suffix.name);
  const std::string repaired = fmt::format("{}{}", number, suffix.name);
  const bool near = !number.empty() && (rest.empty() || without_spaces(rest) == suffix.name) &&
                    check_range(repaired, range, suffix.name);
  return unexpected(fmt::format("{} is not {}{}", quoted(text), suffix.description,
                                near ? did_you_mean(repaired) : ""));
}

std::optional<std::uint64_t> parse_duration(std::string_view text) {
  std::uint64_t total = 0;
  std::uint64_t previous_factor = largest;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const std::string_view number = take_digits(text);
    const std::string_view name = text.substr(0, text.find_first_of(digits));
    text.remove_prefix(name.size());
    const auto unit = std::ranges::find(time_units, name, &Unit::name);
    if (number.empty() || unit == time_units.end() || unit->factor >= previous_factor) {
      return std::nullopt;
    }
    const std::uint64_t part = saturated_product(saturated(number), unit->factor);
    total = part > largest - total ? largest : total + part;
    previous_factor = unit->factor;
  }
  return total;
}

// `1` was most likely seconds, `1000` milliseconds; `1S` or `1 s` is only badly written.
std::vector<std::string> durations_near(std::string_view text) {
  std::string candidate = without_spaces(text);
  if (is_decimal(candidate)) return {candidate + "s", candidate + "ms"};
  std::ranges::transform(candidate, candidate.begin(), [](char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character + 32) : character;
  });
  if (candidate.ends_with("sec")) candidate.resize(candidate.size() - 2);
  if (candidate.ends_with("min")) candidate.resize(candidate.size() - 2);
  return {candidate};
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::string_view number = take_digits(text);
  const auto unit = std::ranges::find(size_units, text, &Unit::name);
  if (number.empty() || unit == size_units.end()) return std::nullopt;
  return saturated_product(saturated(number), unit->factor);
}

// Bare bytes become KiB where they are whole KiB; `16K`, `16kb`, `16 KiB` mean what they look like.
std::vector<std::string> sizes_near(std::string_view text) {
  const std::string compact = without_spaces(text);
  std::string_view rest = compact;
  const std::string_view number = take_digits(rest);
  if (number.empty()) return {};
  std::vector<std::string> candidates;
  if (rest.empty() || rest == "B") {
    const std::uint64_t value = saturated(number);
    if (value >= 1024 && value % 1024 == 0) candidates.push_back(format_size(value));
    if (rest.empty()) candidates.push_back(fmt::format("{}KiB", number));
    return candidates;
  }
  for (const Unit& unit : size_units) {
    const bool same_letter = (rest.front() & ~0x20) == unit.name.front();
    if (same_letter && rest.size() <= 3)
      candidates.push_back(fmt::format("{}{}", number, unit.name));
  }
  return candidates;
}

std::optional<std::uint32_t> parse_bits(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (hexadecimal) text.remove_prefix(2);
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool is_decimal(std::string_view text) {
  return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

Parsed<std::uint32_t> NumberIn::operator()(std::string_view text) const {
  if (!is_decimal(text)) {
    return unexpected(fmt::format("{} is not a decimal number, {} to {}", quoted(text), min, max));
  }
  return check_range(text, *this, "");
}

Parsed<std::optional<std::uint32_t>> NumberOr::operator()(std::string_view text) const {
  if (text == word) return std::nullopt;
  if (!is_decimal(text)) {
    const std::array words{word};
    return unexpected(fmt::format("{} is neither {} nor a decimal number, {} to {}{}", quoted(text),
                                  word, range.min, range.max, did_you_mean(nearest(text, words))));
  }
  const auto number = range(text);
  if (!number) return unexpected(number.error());
  return *number;
}

Parsed<milliseconds> DurationIn::operator()(std::string_view text) const {
  const auto value = parse_duration(text);
  const Bounds bounds{static_cast<std::uint64_t>(min.count()),
                      static_cast<std::uint64_t>(max.count())};
  if (!value) {
    return unexpected(fmt::format("{} is not a duration such as 200ms, 1s or 2h10m{}", quoted(text),
                                  suggest(durations_near(text), parse_duration, bounds)));
  }
  if (*value < bounds.min || *value > bounds.max) {
    return unexpected(out_of_range(text, format_duration(min), format_duration(max)));
  }
  return milliseconds(*value);
}

Parsed<std::uint64_t> SizeIn::operator()(std::string_view text) const {
  const auto value = parse_size(text);
  if (!value) {
    return unexpected(fmt::format("{} is not a size such as 16KiB or 64MiB{}", quoted(text),
                                  suggest(sizes_near(text), parse_size, {min_bytes, max_bytes})));
  }
  if (*value < min_bytes || *value > max_bytes) {
    return unexpected(out_of_range(text, format_size(min_bytes), format_size(max_bytes)));
  }
  return *value;
}

Parsed<std::uint32_t> RateIn::operator()(std::string_view text) const {
  return parse_suffixed(text, {"/s", "a rate such as 20000/s"}, {min, max});
}

Parsed<std::uint32_t> PercentIn::operator()(std::string_view text) const {
  return parse_suffixed(text, {"%", "a percentage such as 80%"}, {min, max});
}

Parsed<Mark> MarkWithMask::operator()(std::string_view text) const {
  const std::size_t slash = text.find('/');
  const auto value = parse_bits(text.substr(0, slash));
  const auto mask = slash == text.npos ? std::nullopt : parse_bits(text.substr(slash + 1));
  if (!value || !mask) {
    return unexpected(fmt::format(
        "{} is not VALUE/MASK such as 0x53590000/0xffff0000, each of 32 bits", quoted(text)));
  }
  if (*mask == 0)
    return unexpected(fmt::format("{} has the mask 0; it must have a bit", quoted(text)));
  if ((*value & ~*mask) != 0) {
    return unexpected(fmt::format("{} has value bits outside of its mask", quoted(text)));
  }
  // Every packet nobody marked would pass for one of synward's own, and bypass it.
  if (*value == 0)
    return unexpected(fmt::format("{} has the value 0, which is no mark", quoted(text)));
  return Mark{*value, *mask};
}

std::string format_duration(milliseconds duration) {
  if (duration.count() == 0) return "0s";
  auto rest = static_cast<std::uint64_t>(duration.count());
  const bool has_minutes = rest >= 120'000;  // 64s reads better than 1m4s
  std::string result;
  for (const auto& [name, factor] : time_units) {
    if (rest < factor || (name == "m" && !has_minutes)) continue;
    result += fmt::format("{}{}", rest / factor, name);
    rest %= factor;
  }
  return result;
}

std::string format_size(std::uint64_t bytes) {
  for (const auto& [name, factor] : size_units) {
    if (bytes != 0 && bytes % factor == 0) return fmt::format("{}{}", bytes / factor, name);
  }
  return fmt::format("{}KiB", bytes / 1024);
}

std::string format_mark(Mark mark) {
  return fmt::format("{:#010x}/{:#010x}", mark.value, mark.mask);
}

}  // namespace synward::config
