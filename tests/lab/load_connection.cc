// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/load_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace synward::lab {
namespace {

constexpr std::size_t kMaxHeader = 8192;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

SocketAddress socket_address(const Address& address, std::uint16_t port, bool is_ipv6) {
  SocketAddress result;
  if (is_ipv6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.data(), 16);
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.length = sizeof v6;
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.data() + 12, 4);
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.length = sizeof v4;
  }
  return result;
}

const sockaddr* raw(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

// 203.0.113.HOST or 2001:db8:1::HOST: many clients have enough ports together, and connections in
// TIME-WAIT take none from the next.
SocketAddress client_address(const Source& source, bool is_ipv6) {
  const Address base = is_ipv6 ? Address{0x20, 0x01, 0x0d, 0xb8, 0, 1}
                               : Address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 0};
  Address address = base;
  address[15] = static_cast<std::uint8_t>(source.host);
  return socket_address(address, source.port, is_ipv6);
}

}  // namespace

Connection::Connection(const Request& request, Source source)
    : request_(request), source_(source), started_(Clock::now()) {
  open();
}

void Connection::open() {
  const bool is_ipv6 = request_.target.is_ipv6;
  fd_ = socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return fail_with_errno(errno);
  const int on = 1;
  if (source_.port == 0) {
    setsockopt(fd_, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  } else {
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  const SocketAddress own = client_address(source_, is_ipv6);
  if (bind(fd_, raw(own), own.length) != 0) return fail_with_errno(errno);
  const SocketAddress peer = socket_address(request_.target.address, request_.target.port, is_ipv6);
  if (connect(fd_, raw(peer), peer.length) != 0 && errno != EINPROGRESS) fail_with_errno(errno);
}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

void Connection::on_event() {
  if (state_ == State::connecting) on_connected();
  if (state_ == State::asking) write_request();
  if (state_ == State::reading) read_response();
}

void Connection::on_connected() {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return fail_with_errno(error);
  connected_ = Clock::now();
  state_ = State::connected;
}

void Connection::ask() {
  if (state_ != State::connected) return;
  state_ = State::asking;
  write_request();
}

void Connection::write_request() {
  while (written_ < request_.text.size()) {
    const ssize_t done =
        send(fd_, request_.text.data() + written_, request_.text.size() - written_, MSG_NOSIGNAL);
    if (done < 0 && errno == EAGAIN) return;
    if (done < 0) return fail_with_errno(errno);
    written_ += static_cast<std::size_t>(done);
  }
  state_ = State::reading;
}

void Connection::read_response() {
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
  while (state_ == State::reading) {
    const ssize_t length = recv(fd_, buffer.data(), buffer.size(), 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length < 0) return fail_with_errno(errno);
    if (length == 0) return on_end_of_stream();
    take(buffer.data(), static_cast<std::size_t>(length));
  }
}

void Connection::take(const char* data, std::size_t length) {
  if (header_complete_) return take_body(data, length);
  header_.append(data, length);
  const auto end = header_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (header_.size() > kMaxHeader) fail("bad_header");
    return;
  }
  const std::string body = header_.substr(end + 4);
  header_.resize(end + 2);
  header_complete_ = true;
  if (check_header()) take_body(body.data(), body.size());
}

bool Connection::check_header() {
  if (!header_.starts_with("HTTP/1.1 200 ")) {
    fail("bad_status");
    return false;
  }
  if (!header_.contains("\r\nContent-Length: " + std::to_string(request_.expected_body.size()) +
                        "\r\n")) {
    fail("bad_length");
    return false;
  }
  return true;
}

void Connection::take_body(const char* data, std::size_t length) {
  const auto& expected = request_.expected_body;
  if (length > expected.size() - body_read_ ||
      std::memcmp(expected.data() + body_read_, data, length) != 0)
    return fail("wrong_body");
  body_read_ += length;
}

// "Connection: close" was asked for: the response is whole only with the server's FIN.
void Connection::on_end_of_stream() {
  if (!header_complete_ || body_read_ != request_.expected_body.size()) return fail("short_body");
  finish();
}

void Connection::finish() {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (fd_ >= 0 && getsockopt(fd_, SOL_TCP, TCP_INFO, &info, &length) == 0)
    retransmits_ = info.tcpi_total_retrans;
  ended_ = Clock::now();
  state_ = State::done;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Connection::fail(const std::string& reason) {
  failure_ = reason;
  finish();
}

void Connection::fail_with_errno(int error) {
  const bool connecting = state_ == State::connecting;
  if (error == ECONNREFUSED) return fail("connect_refused");
  if (error == ETIMEDOUT) return fail(connecting ? "connect_timeout" : "timeout");
  if (error == ECONNRESET) return fail("reset");
  if (error == EHOSTUNREACH || error == ENETUNREACH) return fail("unreachable");
  fail(strerrorname_np(error));
}

}  // namespace synward::lab
