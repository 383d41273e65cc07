// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/http_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "daemon/io/clock.h"

namespace synward::metrics {
namespace {

constexpr int accepted_at_once = 128;  // between two looks at the others

constexpr std::chrono::milliseconds no_descriptor_pause{100};

sockaddr_in socket_address(const wire::Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  std::memcpy(&address.sin_addr, endpoint.address.ipv4().data(), sizeof address.sin_addr);
  return address;
}

bool must_wait() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

HttpServer::HttpServer(HttpHandler handler, const Limits& limits)
    : handler_(std::move(handler)), limits_(limits) {}

std::expected<std::unique_ptr<HttpServer>, int> HttpServer::start(const wire::Endpoint& listen,
                                                                  HttpHandler handler,
                                                                  const Limits& limits) {
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(handler), limits));
  if (const int error = server->open(listen); error != 0) return std::unexpected(error);
  server->thread_ = std::thread([raw = server.get()] { raw->run(); });
  return server;
}

int HttpServer::open(const wire::Endpoint& listen) {
  end_ = io::Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!end_.valid()) return errno;
  listener_ = io::Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_.valid()) return errno;
  sockaddr_in address = socket_address(listen);
  socklen_t length = sizeof address;
  const int on = 1;
  if (setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::listen(listener_.get(), static_cast<int>(limits_.connections)) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return errno;
  port_ = ntohs(address.sin_port);
  return 0;
}

HttpServer::~HttpServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(end_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void HttpServer::run() {
  pthread_setname_np(pthread_self(), "metrics");
  for (bool more = true; more;) {
    try {
      more = turn();
    } catch (const std::bad_alloc&) {
      connections_.clear();
    }
  }
}

bool HttpServer::turn() {
  if (!wait()) return false;
  const Instant now = io::now();
  std::size_t polled = 2;
  for (Connection& connection : connections_) {
    if (polled_[polled++].revents != 0) serve(connection, now);
    if (now >= connection.until) connection.phase = Phase::over;
  }
  if (polled_[1].revents != 0) accept_all(now);
  std::erase_if(connections_, [](auto& connection) { return connection.phase == Phase::over; });
  return true;
}

bool HttpServer::wait() {
  polled_.assign({{end_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}});
  Instant until = Instant::max();
  for (const Connection& connection : connections_) {
    const short event = connection.phase == Phase::answer ? POLLOUT : POLLIN;
    polled_.push_back({connection.socket.get(), event, 0});
    until = std::min(until, connection.until);
  }
  int timeout = -1;
  if (!connections_.empty()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - io::now());
    timeout = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }
  if (poll(polled_.data(), polled_.size(), timeout) < 0)
    for (pollfd& each : polled_) each.revents = 0;
  return polled_[0].revents == 0;
}

void HttpServer::accept_all(Instant now) {
  for (int accepted = 0; accepted < accepted_at_once; ++accepted) {
    io::Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno != EMFILE && errno != ENFILE) return;
      // The listener stays readable: without a descriptor this thread would not rest.
      if (connections_.empty())
        poll(nullptr, 0, no_descriptor_pause.count());
      else
        connections_.pop_front();
      return;
    }
    connections_.push_back({.socket = std::move(socket), .until = now + limits_.request_time});
    if (connections_.size() > limits_.connections) connections_.pop_front();
    serve(connections_.back(), now);  // the request is there as a rule
  }
}

void HttpServer::serve(Connection& connection, Instant now) {
  if (connection.phase == Phase::answer)
    send_on(connection);
  else
    receive(connection, now);
}

void HttpServer::receive(Connection& connection, Instant now) {
  std::array<char, 4096> buffer;
  const ssize_t got = recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    if (got == 0 || !must_wait()) connection.phase = Phase::over;
    return;
  }
  if (connection.phase != Phase::request) return;
  connection.bytes.append(buffer.data(), static_cast<std::size_t>(got));
  const auto request = parse_request(connection.bytes);
  const bool too_long = connection.bytes.size() > limits_.request_bytes;
  if (!request && request.error() == HttpProblem::incomplete && !too_long) return;
  connection.until = now + limits_.answer_time;
  if (request)
    answer(connection, handler_(*request), request->method != "HEAD");
  else
    answer(connection,
           {.status = too_long ? "431 Request Header Fields Too Large" : "400 Bad Request",
            .body = "not a request of HTTP/1.x\n"},
           true);
}

void HttpServer::answer(Connection& connection, const HttpAnswer& answer, bool with_body) {
  std::string text = "HTTP/1.1 ";
  text.append(answer.status).append("\r\n").append(answer.extra_header);
  text.append("Content-Type: ").append(answer.content_type).append("\r\n");
  text.append("Cache-Control: no-store\r\nContent-Length: ");
  text.append(std::to_string(answer.body.size())).append("\r\nConnection: close\r\n\r\n");
  if (with_body) text += answer.body;
  connection.bytes = std::move(text);
  connection.phase = Phase::answer;
  send_on(connection);
  if (connection.phase == Phase::answer) keep_bounds(connection);
}

void HttpServer::send_on(Connection& connection) {
  const ssize_t sent = send(connection.socket.get(), connection.bytes.data() + connection.sent,
                            connection.unsent(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (!must_wait()) connection.phase = Phase::over;
    return;
  }
  connection.sent += static_cast<std::size_t>(sent);
  if (connection.unsent() > 0) return;
  connection.bytes = {};
  connection.phase = Phase::farewell;
  shutdown(connection.socket.get(), SHUT_WR);
}

void HttpServer::keep_bounds(const Connection& newest) {
  std::size_t unsent = 0;
  for (const Connection& connection : connections_) unsent += connection.unsent();
  for (Connection& connection : connections_) {
    if (unsent <= limits_.unsent_bytes) return;
    if (&connection == &newest) continue;
    unsent -= connection.unsent();
    if (connection.phase == Phase::answer) connection.phase = Phase::over;
  }
}

}  // namespace synward::metrics
