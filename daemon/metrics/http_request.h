// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <expected>
#include <string_view>

namespace synward::metrics {

// What a server of a few fixed pages needs of a request of HTTP/1.x (RFC 9112).
struct HttpRequest {
  std::string_view method;
  std::string_view path;  // undecoded, without the query
};

enum class HttpProblem { incomplete, malformed };

// `bytes` is all that was received. The views point into it.
std::expected<HttpRequest, HttpProblem> parse_request(std::string_view bytes);

}  // namespace synward::metrics
