// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <poll.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/io/descriptor.h"
#include "daemon/metrics/http_request.h"
#include "proxy/time.h"
#include "proxy/wire/address.h"

namespace synward::metrics {

struct HttpAnswer {
  std::string_view status = "200 OK";
  std::string body{};
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view extra_header{};  // whole lines, with their CRLF
};
// Runs on the server's thread, one at a time. For HEAD the server leaves the body out.
using HttpHandler = std::function<HttpAnswer(const HttpRequest&)>;

// A server for a few small pages, one request a connection. One thread looks after all connections
// and waits for none of them, so that clients who are idle or slow keep nobody waiting: the
// servers of libraries (civetweb among them) give each connection a thread, and who opens as many
// connections as there are threads has closed the port. Everything is bounded: at a bound the
// oldest connection gives way, since who means it has asked within a round trip.
class HttpServer {
 public:
  struct Limits {
    std::size_t connections = 512;
    std::size_t request_bytes = 8 << 10;
    std::size_t unsent_bytes = 16 << 20;  // of all answers together; one may always be unsent
    Duration request_time = std::chrono::seconds(5);
    Duration answer_time = std::chrono::seconds(10);
  };

  // Port 0 takes a free one. The error is the errno of what failed.
  static std::expected<std::unique_ptr<HttpServer>, int> start(const wire::Endpoint& listen,
                                                               HttpHandler handler,
                                                               const Limits& limits);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // returns once the request at hand is answered

  std::uint16_t port() const { return port_; }

 private:
  // A connection is closed after the answer only when its client has: the RST for bytes that were
  // not read would take the answer with it.
  enum class Phase { request, answer, farewell, over };
  struct Connection {
    io::Descriptor socket;
    Instant until;
    Phase phase = Phase::request;
    std::string bytes{};   // of the request; then of the answer
    std::size_t sent = 0;  // of the answer
    std::size_t unsent() const { return phase == Phase::answer ? bytes.size() - sent : 0; }
  };

  HttpServer(HttpHandler handler, const Limits& limits);
  int open(const wire::Endpoint& listen);  // errno
  void run();
  bool turn();  // false: it ends
  bool wait();  // the same
  void accept_all(Instant now);
  void serve(Connection& connection, Instant now);
  void receive(Connection& connection, Instant now);
  void answer(Connection& connection, const HttpAnswer& answer, bool with_body);
  void send_on(Connection& connection);
  void keep_bounds(const Connection& newest);

  const HttpHandler handler_;
  const Limits limits_;
  io::Descriptor listener_, end_;
  std::uint16_t port_ = 0;
  std::list<Connection> connections_;  // the oldest first
  std::vector<pollfd> polled_;
  std::thread thread_;
};

}  // namespace synward::metrics
