// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/exposer.h"

#include <CivetServer.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <prometheus/exposer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace synward::metrics {
namespace {

// civetweb hands its callbacks no pointer of ours: the constructor of CivetServer that
// prometheus-cpp calls leaves the user data to CivetServer itself.
std::atomic<const HealthCheck*> active_health{nullptr};

struct Answer {
  std::string_view status;
  std::string body;
  std::string_view extra_header;
};

// Returns the status as a number, which tells civetweb that the request is done.
int send_answer(mg_connection* connection, const Answer& answer, bool with_body) {
  std::string text = "HTTP/1.1 ";
  text.append(answer.status).append("\r\n").append(answer.extra_header);
  text += "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n";
  text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  text += "Connection: close\r\n\r\n";
  if (with_body) text += answer.body;
  mg_write(connection, text.data(), text.size());
  return std::stoi(std::string(answer.status));
}

// Without Content-Length, which would need a scrape; HTTP allows that for HEAD (RFC 9110 8.6).
int answer_metrics_head(mg_connection* connection) {
  constexpr std::string_view text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n";
  mg_write(connection, text.data(), text.size());
  return 200;
}

Answer health_answer() {
  const HealthCheck* health = active_health.load();
  const std::optional<std::string> problem =
      health != nullptr && *health ? (*health)() : std::nullopt;
  if (problem)
    return {.status = "503 Service Unavailable", .body = *problem + "\n", .extra_header = {}};
  return {.status = "200 OK", .body = "ok\n", .extra_header = {}};
}

// Sees every request before civetweb does, and lets pass only the one that prometheus-cpp serves:
// civetweb's file, CGI and WebSocket handling stay out of reach.
int begin_request(mg_connection* connection) {
  const mg_request_info* request = mg_get_request_info(connection);
  const std::string_view method = request->request_method != nullptr ? request->request_method : "";
  const std::string_view path = request->local_uri != nullptr ? request->local_uri : "";
  const bool is_get = method == "GET";
  if (!is_get && method != "HEAD") {
    return send_answer(connection,
                       {.status = "405 Method Not Allowed",
                        .body = "only GET and HEAD\n",
                        .extra_header = "Allow: GET, HEAD\r\n"},
                       true);
  }
  if (path == "/metrics") return is_get ? 0 : answer_metrics_head(connection);
  if (path == "/healthz") return send_answer(connection, health_answer(), is_get);
  return send_answer(
      connection,
      {.status = "404 Not Found", .body = "see /metrics and /healthz\n", .extra_header = {}},
      is_get);
}

// What civetweb reports here is what clients did wrong: no one who can reach the port may fill the
// journal. A failed bind is reported by start().
int discard_message(const mg_connection* /*connection*/, const char* /*message*/) {
  return 1;
}

sockaddr_in socket_address(const wire::Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  std::ranges::copy(endpoint.address.ipv4(), reinterpret_cast<std::uint8_t*>(&address.sin_addr));
  return address;
}

// civetweb does not say why it could not bind, so the bind is tried once more.
std::string bind_problem(const wire::Endpoint& listen) {
  const sockaddr_in address = socket_address(listen);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  int error = 0;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    error = errno;
  }
  if (fd >= 0) close(fd);
  switch (error) {
    case 0:
      return "the HTTP server did not start (too many open files or threads?)";
    case EADDRINUSE:
      return "address in use; stop the program that listens there or choose another metrics.listen";
    case EADDRNOTAVAIL:
      return "no interface of this machine has the address; choose another metrics.listen";
    case EACCES:
      return "permission denied; a port below 1024 needs CAP_NET_BIND_SERVICE";
    default:
      return std::strerror(error);
  }
}

void connect_once(const wire::Endpoint& endpoint) {
  const sockaddr_in address = socket_address(endpoint);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  // Refused or in progress: either way the listener was woken, or is gone.
  std::ignore = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  close(fd);
}

// Two threads: one slow client does not keep the next scrape waiting, and it is cut off after the
// timeout. An empty allow-origin: no web page may read the metrics through a visitor's browser.
std::vector<std::string> server_options(const wire::Endpoint& listen) {
  return {"listening_ports",
          wire::to_string(listen),
          "num_threads",
          "2",
          "request_timeout_ms",
          "3000",
          "access_control_allow_origin",
          ""};
}

}  // namespace

Exposer::Exposer(std::shared_ptr<prometheus::Collectable> collectable, HealthCheck health)
    : collectable_(std::move(collectable)), health_(std::move(health)) {}

std::expected<std::unique_ptr<Exposer>, std::string> Exposer::start(
    const wire::Endpoint& listen, std::shared_ptr<prometheus::Collectable> collectable,
    HealthCheck health) {
  const std::string failure = "cannot listen on " + wire::to_string(listen) + " for metrics: ";
  if (!listen.address.is_ipv4())
    return std::unexpected(failure + "only IPv4 addresses can be used");
  std::unique_ptr<Exposer> exposer(new Exposer(std::move(collectable), std::move(health)));
  const HealthCheck* expected = nullptr;
  if (!active_health.compare_exchange_strong(expected, &exposer->health_)) {
    return std::unexpected(failure + "this process serves metrics already");
  }
  CivetCallbacks callbacks;
  callbacks.begin_request = begin_request;
  callbacks.log_message = discard_message;
  try {
    exposer->server_ = std::make_unique<prometheus::Exposer>(server_options(listen), &callbacks);
    exposer->server_->RegisterCollectable(exposer->collectable_);
    const int port = exposer->server_->GetListeningPorts().at(0);
    exposer->listen_ = {.address = listen.address, .port = static_cast<std::uint16_t>(port)};
  } catch (const std::exception&) {
    return std::unexpected(failure + bind_problem(listen));
  }
  return exposer;
}

Exposer::~Exposer() {
  if (server_) stop_server();
  const HealthCheck* own = &health_;
  active_health.compare_exchange_strong(own, nullptr);
}

// civetweb's accepting thread looks for its end every two seconds only, or when a connection
// arrives; the daemon's stop should not take that long.
void Exposer::stop_server() {
  std::atomic<bool> stopped{false};
  std::thread waker([this, &stopped] {
    while (!stopped) {
      connect_once(listen_);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  server_.reset();
  stopped = true;
  waker.join();
}

}  // namespace synward::metrics
