// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/http_request.h"

#include <algorithm>

namespace synward::metrics {
namespace {

// A line may end in LF alone (RFC 9112 2.2).
bool has_whole_header(std::string_view bytes) {
  return bytes.contains("\r\n\r\n") || bytes.contains("\n\n");
}

std::string_view path_of(std::string_view target) {
  // A server takes the absolute form too (RFC 9112 3.2.2).
  constexpr std::string_view scheme = "http://";
  if (target.starts_with(scheme)) {
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find('/'), target.size()));
  }
  return target.substr(0, target.find('?'));
}

}  // namespace

std::expected<HttpRequest, HttpProblem> parse_request(std::string_view bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // RFC 9112 2.2: ignored
  if (!has_whole_header(bytes)) return std::unexpected(HttpProblem::incomplete);
  std::string_view line = bytes.substr(0, bytes.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1)
    return std::unexpected(HttpProblem::malformed);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.contains(' ') || !line.substr(last + 1).starts_with("HTTP/1."))
    return std::unexpected(HttpProblem::malformed);
  return HttpRequest{.method = line.substr(0, first), .path = path_of(target)};
}

}  // namespace synward::metrics
