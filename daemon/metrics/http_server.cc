// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/http_server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <exception>
#include <utility>

#include "daemon/io/descriptor.h"

namespace synward::metrics {
namespace {

// Of the header of a request; a longer one is refused.
constexpr std::size_t request_memory_bytes = 16 << 10;

sockaddr_in socket_address(const wire::Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  std::memcpy(&address.sin_addr, endpoint.address.ipv4().data(), sizeof address.sin_addr);
  return address;
}

// Opened by us, because the library does not say why it could not.
std::expected<io::Descriptor, int> open_listener(const wire::Endpoint& listen) {
  io::Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_in address = socket_address(listen);
  const int on = 1;
  if (!listener.valid() ||
      setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), SOMAXCONN) != 0)
    return std::unexpected(errno);
  return listener;
}

std::uint16_t port_of(const io::Descriptor& listener) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

MHD_Result queue(MHD_Connection* connection, const HttpAnswer& answer) {
  // The library copies before it returns; it does not write.
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (answer.allow != nullptr) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer.allow);
  }
  const MHD_Result queued = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

struct HttpServer::Callbacks {
  // For a request without memory the connection ends; no exception may enter C.
  // NOLINTNEXTLINE(readability-function-size): the library's signature
  static MHD_Result answer(void* self, MHD_Connection* connection, const char* path,
                           const char* method, const char* /*version*/, const char* /*body*/,
                           std::size_t* /*body_size*/, void** /*of_request*/) {
    try {
      return queue(connection, static_cast<HttpServer*>(self)->handler_({method, path}));
    } catch (const std::exception&) {
      return MHD_NO;
    }
  }

  static void notify(void* self, MHD_Connection* connection, void** /*of_socket*/,
                     MHD_ConnectionNotificationCode code) {
    auto* const server = static_cast<HttpServer*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      server->come(connection);
    } else {
      server->go(connection);
    }
  }

  // What is reported here is what clients did wrong: no one who can reach the port may fill the
  // journal.
  static void discard(void* /*self*/, const char* /*format*/, va_list /*arguments*/) {}
};

HttpServer::HttpServer(HttpHandler handler, const Limits& limits)
    : handler_(std::move(handler)), limits_(limits) {}

std::expected<std::unique_ptr<HttpServer>, int> HttpServer::start(const wire::Endpoint& listen,
                                                                  HttpHandler handler,
                                                                  const Limits& limits) {
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(handler), limits));
  if (const int error = server->open(listen); error != 0) return std::unexpected(error);
  return server;
}

int HttpServer::open(const wire::Endpoint& listen) {
  auto listener = open_listener(listen);
  if (!listener) return listener.error();
  port_ = port_of(*listener);
  // Twice as many: those that were told to give way are there until the next turn.
  daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, nullptr, nullptr, Callbacks::answer,
      this, MHD_OPTION_EXTERNAL_LOGGER, Callbacks::discard, nullptr, MHD_OPTION_LISTEN_SOCKET,
      listener->get(), MHD_OPTION_NOTIFY_CONNECTION, Callbacks::notify, this,
      MHD_OPTION_CONNECTION_LIMIT, 2 * limits_.connections, MHD_OPTION_CONNECTION_TIMEOUT,
      static_cast<unsigned>(limits_.silence.count()), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      request_memory_bytes, MHD_OPTION_END);
  if (daemon_ == nullptr) return errno == 0 ? EMFILE : errno;
  listener->release();  // the daemon closes it
  return 0;
}

HttpServer::~HttpServer() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

void HttpServer::come(MHD_Connection* connection) {
  connections_.push_back(connection);
  if (connections_.size() <= limits_.connections) return;
  const MHD_ConnectionInfo* oldest =
      MHD_get_connection_info(connections_.front(), MHD_CONNECTION_INFO_CONNECTION_FD);
  if (oldest != nullptr) shutdown(oldest->connect_fd, SHUT_RDWR);
  connections_.pop_front();
}

void HttpServer::go(MHD_Connection* connection) {
  std::erase(connections_, connection);
}

}  // namespace synward::metrics
