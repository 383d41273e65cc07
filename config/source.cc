// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/source.h"

#include <algorithm>

namespace synward::config {

std::string_view line_of(std::string_view text, int line) {
  for (int current = 1; current < line; ++current) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

std::optional<int> find_directive(std::string_view text) {
  if (text.starts_with('%')) return 1;
  const std::size_t before = text.find("\n%");
  if (before == std::string_view::npos) return std::nullopt;
  return 2 + static_cast<int>(std::ranges::count(text.substr(0, before), '\n'));
}

bool is_unclosed_quote(std::string_view text) {
  if (!text.starts_with('\'') && !text.starts_with('"')) return false;
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool escaped = quote == '"' ? text[i] == '\\' : text.substr(i, 2) == "''";
    if (escaped) {
      ++i;
    } else if (text[i] == quote) {
      return false;
    }
  }
  return true;
}

std::string_view endpoint_hint(std::string_view line) {
  for (std::size_t end = line.find("]:"); end != std::string_view::npos;
       end = line.find("]:", end + 1)) {
    const std::size_t start = line.rfind('[', end);
    if (start == std::string_view::npos) continue;
    const std::string_view address = line.substr(start + 1, end - start - 1);
    const bool is_quoted = start > 0 && (line[start - 1] == '"' || line[start - 1] == '\'');
    const bool is_ipv6 = std::ranges::count(address, ':') >= 2 &&
                         address.find_first_not_of("0123456789abcdefABCDEF:.") == address.npos;
    if (is_ipv6 && !is_quoted) return "; quote an IPv6 endpoint: \"[2001:db8::1]:443\"";
  }
  return {};
}

Place dash_before(std::string_view text, Place noticed) {
  for (int line = noticed.line; line > 0; --line) {
    const std::size_t start = text.rfind('\n') + 1;  // 0 on the first line: npos + 1
    const std::string_view last = text.substr(start);
    const std::size_t dash = last.substr(0, last.find('#')).rfind('-');
    if (dash != std::string_view::npos) return {line, static_cast<int>(dash) + 1};
    text = text.substr(0, start == 0 ? 0 : start - 1);
  }
  return noticed;
}

}  // namespace synward::config
