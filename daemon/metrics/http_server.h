// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/wire/address.h"

struct MHD_Connection;
struct MHD_Daemon;

namespace synward::metrics {

struct HttpRequest {
  std::string_view method, path;  // the path without its query
};
struct HttpAnswer {
  unsigned status = 200;
  std::string body{};
  const char* content_type = "text/plain; charset=utf-8";
  const char* allow = nullptr;  // of 405
};
// Runs on the server's thread, one at a time. For HEAD the server leaves the body out.
using HttpHandler = std::function<HttpAnswer(const HttpRequest&)>;

// libmicrohttpd for a few small pages, one request a connection. One thread looks after all
// connections and waits for none of them, so clients that are idle or slow keep nobody waiting. At
// the bound the oldest connection gives way, since who means it has asked within a round trip.
class HttpServer {
 public:
  struct Limits {
    unsigned connections = 128;
    std::chrono::seconds silence{5};
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
  // What the library calls with C's linkage.
  struct Callbacks;

  HttpServer(HttpHandler handler, const Limits& limits);
  int open(const wire::Endpoint& listen);  // errno
  void come(MHD_Connection* connection);
  void go(MHD_Connection* connection);

  const HttpHandler handler_;
  const Limits limits_;
  std::uint16_t port_ = 0;
  std::list<MHD_Connection*> connections_;  // the oldest first
  MHD_Daemon* daemon_ = nullptr;            // its thread uses the others
};

}  // namespace synward::metrics
