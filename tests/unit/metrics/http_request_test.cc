// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/http_request.h"

#include <gtest/gtest.h>

#include <string>

namespace synward::metrics {
namespace {

TEST(HttpRequest, KnowsMethodAndPath) {
  for (const std::string target : {"/metrics", "/metrics?name=x", "http://box:9477/metrics"}) {
    const std::string bytes = "GET " + target + " HTTP/1.1\r\nHost: box\r\n\r\n";
    const auto request = parse_request(bytes);
    ASSERT_TRUE(request) << target;
    EXPECT_EQ(request->method, "GET");
    EXPECT_EQ(request->path, "/metrics");
  }
  EXPECT_EQ(parse_request("HEAD /a HTTP/1.0\n\n")->path, "/a");
  EXPECT_EQ(parse_request("\r\n\r\nGET / HTTP/1.1\r\n\r\n")->path, "/");
  EXPECT_EQ(parse_request("GET http://box HTTP/1.1\r\n\r\n")->path, "");
}

// RFC 9112 2: all of the header, not of its first line.
TEST(HttpRequest, WaitsForTheEmptyLine) {
  const std::string whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto request = parse_request(std::string_view(whole).substr(0, size));
    ASSERT_FALSE(request) << size;
    EXPECT_EQ(request.error(), HttpProblem::incomplete) << size;
  }
  EXPECT_TRUE(parse_request(whole));
}

TEST(HttpRequest, RefusesWhatIsNone) {
  for (const std::string line : {"hello", "", "GET /", "GET  HTTP/1.1", " / HTTP/1.1",
                                 "GET / HTTP/2", "GET / x HTTP/1.1", "GET / ", "/ /"}) {
    const std::string bytes = line + "\n\n";
    const auto request = parse_request(bytes);
    ASSERT_FALSE(request) << line;
    EXPECT_EQ(request.error(), HttpProblem::malformed) << line;
  }
}

}  // namespace
}  // namespace synward::metrics
