// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/exposer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/io/descriptor.h"
#include "daemon/metrics/collector.h"
#include "tests/unit/metrics/fake_workers.h"

namespace synward::metrics {
namespace {

const std::optional<std::string> healthy;

wire::Endpoint loopback(std::uint16_t port) {
  constexpr std::array<std::uint8_t, 4> octets{127, 0, 0, 1};
  return {.address = wire::Address::from_ipv4(octets), .port = port};
}

wire::Endpoint endpoint(const char* text) {
  return wire::parse_endpoint(text).value_or(wire::Endpoint{});
}

sockaddr_in socket_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A client's connection, which says what it is told to and no more.
class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval timeout{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const sockaddr_in address = socket_address(port);
    connected_ =
        connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  void say(const std::string& text) { send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
  // Until the server has closed, or resets.
  std::string hear() {
    std::string heard;
    std::array<char, 65536> buffer;
    for (ssize_t n; (n = recv(fd_.get(), buffer.data(), buffer.size(), 0)) > 0;)
      heard.append(buffer.data(), static_cast<std::size_t>(n));
    return heard;
  }

 private:
  io::Descriptor fd_;
  bool connected_ = false;
};

// The whole answer, headers included; empty if there is none.
std::string http(std::uint16_t port, const std::string& method, const std::string& path) {
  Connection connection(port);
  connection.say(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return connection.hear();
}

std::string body(const std::string& answer) {
  const std::size_t end_of_headers = answer.find("\r\n\r\n");
  return end_of_headers == std::string::npos ? "" : answer.substr(end_of_headers + 4);
}

class ExposerTest : public testing::Test {
 protected:
  void serve(HealthCheck health, const HttpServer::Limits& limits = {}) {
    auto started = Exposer::start(loopback(0), collector_, std::move(health), limits);
    ASSERT_TRUE(started) << started.error();
    exposer_ = std::move(*started);
    ASSERT_NE(exposer_->port(), 0);
  }
  std::string get(const std::string& path) const { return http(exposer_->port(), "GET", path); }
  std::string head(const std::string& path) const { return http(exposer_->port(), "HEAD", path); }

  const test::FakeWorkers workers_;
  const std::shared_ptr<Collector> collector_ = std::make_shared<Collector>(workers_.source());
  std::unique_ptr<Exposer> exposer_;
};

TEST_F(ExposerTest, ServesTheMetrics) {
  serve([] { return healthy; });
  const std::string answer = get("/metrics");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.contains("Content-Type: text/plain")) << answer;
  EXPECT_TRUE(
      body(answer).contains("\nsynward_syns_received_total{protected_service=\"web\"} 0\n"));
  EXPECT_TRUE(body(get("/metrics?name=x")).contains("synward_build_info{version=\""));
}

// With exposer_*, which prometheus-cpp adds.
TEST_F(ExposerTest, PromtoolAcceptsTheAnswer) {
  serve([] { return healthy; });
  get("/metrics");
  const std::string text = body(get("/metrics"));
  ASSERT_TRUE(text.contains("exposer_scrapes_total"));
  EXPECT_EQ(test::promtool_findings(text), "");
}

TEST_F(ExposerTest, HealthzTellsBothWays) {
  std::optional<std::string> problem;
  serve([&problem] { return problem; });
  EXPECT_TRUE(get("/healthz").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(body(get("/healthz")), "ok\n");
  problem = "worker 1 makes no progress";
  EXPECT_TRUE(get("/healthz").starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(body(get("/healthz")), "worker 1 makes no progress\n");
}

// All that is served is in the README's reference, also what the collector does not make.
TEST_F(ExposerTest, ReadmeHasEveryFamily) {
  serve([] { return healthy; });
  std::istringstream lines(body(get("/metrics")));
  std::ifstream file(std::string(SYNWARD_SOURCE_DIR) + "/README.md");
  const std::string readme(std::istreambuf_iterator<char>(file), {});
  int families = 0;
  for (std::string word; lines >> word;) {
    if (word != "TYPE") continue;
    lines >> word;
    ++families;
    EXPECT_TRUE(readme.contains("`" + word + "`")) << word;
  }
  EXPECT_GT(families, 30);
}

TEST_F(ExposerTest, HeadHasNoBody) {
  serve([] { return healthy; });
  for (const char* path : {"/metrics", "/healthz"}) {
    const std::string answer = head(path);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
    EXPECT_EQ(body(answer), "");
  }
}

TEST_F(ExposerTest, ServesNothingElse) {
  serve([] { return healthy; });
  for (const char* path : {"/", "/metrics/x", "/../../etc/passwd", "/etc/passwd"}) {
    EXPECT_TRUE(get(path).starts_with("HTTP/1.1 404 ")) << path;
  }
  const std::string answer = http(exposer_->port(), "DELETE", "/metrics");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << answer;
  EXPECT_TRUE(answer.contains("\r\nAllow: GET, HEAD\r\n")) << answer;
}

// Whoever has come first and says nothing, or little, keeps nobody waiting.
TEST_F(ExposerTest, ScrapesBesideIdleAndSlowConnections) {
  serve([] { return healthy; });
  std::vector<Connection> others;
  for (int i = 0; i < 200; ++i) others.emplace_back(exposer_->port());
  for (int i = 0; i < 200; ++i) others.emplace_back(exposer_->port()).say("G");
  for (const auto& other : others) ASSERT_TRUE(other.connected());
  EXPECT_EQ(body(get("/healthz")), "ok\n");  // hear() waits 10 s
  for (auto& slow : std::span(others).subspan(200)) slow.say("E");
  EXPECT_TRUE(get("/metrics").starts_with("HTTP/1.1 200 "));
}

// At the bound the oldest gives way to who comes.
TEST_F(ExposerTest, ScrapesBesideMoreConnectionsThanItKeeps) {
  serve([] { return healthy; }, {.connections = 4});
  std::vector<Connection> others;
  for (int i = 0; i < 20; ++i) others.emplace_back(exposer_->port());
  EXPECT_EQ(body(get("/healthz")), "ok\n");
  EXPECT_EQ(others.front().hear(), "");  // closed
  others.back().say("GET /healthz HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body(others.back().hear()), "ok\n");
}

TEST_F(ExposerTest, CutsOffWhoDoesNotFinishTheRequest) {
  serve([] { return healthy; }, {.silence = std::chrono::seconds(1)});
  Connection slow(exposer_->port());
  slow.say("GET /heal");
  EXPECT_EQ(slow.hear(), "");
}

TEST_F(ExposerTest, TakesARequestInPieces) {
  serve([] { return healthy; });
  Connection slow(exposer_->port());
  for (const char* piece : {"GET /he", "althz HT", "TP/1.1\r\nHost: x\r\n", "\r", "\n"}) {
    slow.say(piece);
    EXPECT_EQ(body(get("/healthz")), "ok\n");  // it has been read meanwhile
  }
  EXPECT_EQ(body(slow.hear()), "ok\n");
}

// Closed, with an answer of the library's or without, and nobody else notices.
TEST_F(ExposerTest, RefusesWhatIsNoRequest) {
  serve([] { return healthy; });
  for (const std::string& nonsense :
       {std::string("hello\r\n\r\n"), std::string(200'000, 'x'),
        "GET /healthz HTTP/1.1\r\nx: " + std::string(200'000, 'x') + "\r\n\r\n"}) {
    Connection rude(exposer_->port());
    rude.say(nonsense);
    EXPECT_FALSE(rude.hear().starts_with("HTTP/1.1 200 ")) << nonsense.substr(0, 30);
    EXPECT_EQ(body(get("/healthz")), "ok\n");
  }
}

// More than the sockets hold: sent on as the client takes it.
TEST_F(ExposerTest, SendsALongAnswerWhole) {
  const std::string reason(20'000'000, 'r');
  serve([&] { return std::optional(reason); });
  EXPECT_EQ(body(get("/healthz")).size(), reason.size() + 1);
}

TEST_F(ExposerTest, CanStartAgainAfterItsEnd) {
  serve([] { return healthy; });
  const std::uint16_t port = exposer_->port();
  EXPECT_FALSE(get("/metrics").empty());
  exposer_.reset();
  EXPECT_EQ(http(port, "GET", "/healthz"), "");
  auto started = Exposer::start(loopback(port), collector_, [] { return healthy; });
  EXPECT_TRUE(started) << started.error();
}

TEST_F(ExposerTest, EndsQuickly) {
  serve([] { return healthy; });
  const auto begin = std::chrono::steady_clock::now();
  exposer_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1000));
}

TEST_F(ExposerTest, AddressInUseIsSaidWithTheAddress) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  sockaddr_in address = socket_address(0);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const wire::Endpoint taken = loopback(ntohs(address.sin_port));
  const auto started = Exposer::start(taken, collector_, nullptr);
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().starts_with("cannot listen on " + wire::to_string(taken) +
                                          " for metrics: address in use"))
      << started.error();
  close(fd);
  EXPECT_TRUE(Exposer::start(taken, collector_, nullptr));  // the failure left nothing behind
}

TEST_F(ExposerTest, ForeignAddressIsRefused) {
  const auto started = Exposer::start(endpoint("192.0.2.1:9477"), collector_, nullptr);
  ASSERT_FALSE(started);
  EXPECT_TRUE(started.error().contains("no interface of this machine has the address"))
      << started.error();
}

TEST_F(ExposerTest, Ipv6IsRefused) {
  const auto started = Exposer::start(endpoint("[::1]:9477"), collector_, nullptr);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(),
            "cannot listen on [::1]:9477 for metrics: only IPv4 addresses can be used");
}

}  // namespace
}  // namespace synward::metrics
