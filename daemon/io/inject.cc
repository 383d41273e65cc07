// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/inject.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/io/clock.h"
#include "daemon/io/netlink.h"

namespace synward::io {
namespace {

constexpr std::size_t batch_size = 128;
constexpr int send_buffer_bytes = 4 << 20;

// A raw socket and what waits to be sent through it. IPPROTO_RAW implies IP_HDRINCL in both
// families: the header is sent as we wrote it, with any source address. The kernel routes by the
// destination alone (the flow's source is the socket's, which has none), so `ip rule from ...`
// does not apply; IP_FREEBIND and IP_TRANSPARENT are about bound sockets and not needed.
class RawSender {
 public:
  RawSender() = default;
  RawSender(const RawSender&) = delete;
  RawSender& operator=(const RawSender&) = delete;
  ~RawSender() {
    if (fd_ >= 0) ::close(fd_);
  }

  int open(int family, std::uint32_t mark);
  bool full() const { return count_ == batch_size; }
  void add_ipv4(std::span<const std::uint8_t> packet);
  void add_ipv6(std::span<const std::uint8_t> packet);
  // Returns how many were refused. A full socket is waited for until `patient_until`.
  std::uint64_t send(Instant patient_until, int& last_error);

 private:
  union Destination {
    sockaddr_in ipv4;
    sockaddr_in6 ipv6;
  };
  void add(std::span<const std::uint8_t> packet, socklen_t address_length);
  bool has_room_before(Instant deadline) const;

  int fd_ = -1;
  std::size_t count_ = 0;
  std::array<Destination, batch_size> destinations_{};
  std::array<iovec, batch_size> pieces_{};
  std::array<mmsghdr, batch_size> headers_{};
};

// 0, or the errno of what failed.
int RawSender::open(int family, std::uint32_t mark) {
  fd_ = ::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
  if (fd_ < 0) return errno;
  if (setsockopt(fd_, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) return errno;
  force_send_buffer(fd_, send_buffer_bytes);
  return 0;
}

void RawSender::add(std::span<const std::uint8_t> packet, socklen_t address_length) {
  // sendmmsg only reads; iovec has no const.
  pieces_[count_] = {.iov_base = const_cast<std::uint8_t*>(packet.data()),
                     .iov_len = packet.size()};
  headers_[count_].msg_hdr = {.msg_name = &destinations_[count_],
                              .msg_namelen = address_length,
                              .msg_iov = &pieces_[count_],
                              .msg_iovlen = 1,
                              .msg_control = nullptr,
                              .msg_controllen = 0,
                              .msg_flags = 0};
  ++count_;
}

void RawSender::add_ipv4(std::span<const std::uint8_t> packet) {
  sockaddr_in& to = destinations_[count_].ipv4;
  to = {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  std::memcpy(&to.sin_addr, packet.data() + 16, sizeof to.sin_addr);
  add(packet, sizeof to);
}

void RawSender::add_ipv6(std::span<const std::uint8_t> packet) {
  // A port other than 0 would be taken for a protocol number and refused.
  sockaddr_in6& to = destinations_[count_].ipv6;
  to = {.sin6_family = AF_INET6,
        .sin6_port = 0,
        .sin6_flowinfo = 0,
        .sin6_addr = {},
        .sin6_scope_id = 0};
  std::memcpy(&to.sin6_addr, packet.data() + 24, sizeof to.sin6_addr);
  add(packet, sizeof to);
}

bool RawSender::has_room_before(Instant deadline) const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now());
  pollfd socket{.fd = fd_, .events = POLLOUT, .revents = 0};
  return left.count() > 0 && poll(&socket, 1, static_cast<int>(left.count())) > 0;
}

std::uint64_t RawSender::send(Instant patient_until, int& last_error) {
  std::uint64_t refused = 0;
  for (std::size_t done = 0; done < count_;) {
    const auto left = static_cast<unsigned>(count_ - done);
    const int sent = fd_ < 0 ? -1 : sendmmsg(fd_, headers_.data() + done, left, 0);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
      continue;
    }
    const int error = fd_ < 0 ? EAFNOSUPPORT : errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && has_room_before(patient_until)) continue;
    last_error = error;
    // sendmmsg reports an error only for its first message: skip that one. No room in the socket
    // or no socket holds for all the rest.
    const bool all = error == EAGAIN || fd_ < 0;
    refused += all ? left : 1;
    done += all ? left : 1;
  }
  count_ = 0;
  return refused;
}

constexpr std::size_t ipv4_header_length = 20;
constexpr std::size_t ipv6_header_length = 40;

}  // namespace

struct Injector::Impl {
  RawSender ipv4;
  RawSender ipv6;
  std::uint64_t refused = 0;  // by flushes that add() made
  Instant patient_until{};
  int last_error = 0;

  std::uint64_t send(RawSender& sender) { return sender.send(patient_until, last_error); }
};

Injector::Injector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Injector::Injector(Injector&&) noexcept = default;
Injector& Injector::operator=(Injector&&) noexcept = default;
Injector::~Injector() = default;

std::expected<Injector, std::string> Injector::open(std::uint32_t mark) {
  auto impl = std::make_unique<Impl>();
  int error = impl->ipv4.open(AF_INET, mark);
  // A kernel without IPv6 still serves IPv4; IPv6 packets are then refused one by one.
  if (error == 0) error = impl->ipv6.open(AF_INET6, mark);
  if (error == EPERM)
    return std::unexpected<std::string>(
        "raw sockets are not permitted: CAP_NET_RAW and CAP_NET_ADMIN (for the packet mark) are "
        "needed; add them to AmbientCapabilities= or run under the shipped unit");
  if (error != 0 && error != EAFNOSUPPORT)
    return std::unexpected(fmt::format("cannot open a raw socket: {}", std::strerror(error)));
  return Injector(std::move(impl));
}

void Injector::add(std::span<const std::uint8_t> packet) {
  const int version = packet.empty() ? 0 : packet[0] >> 4;
  const bool valid = (version == 4 && packet.size() >= ipv4_header_length) ||
                     (version == 6 && packet.size() >= ipv6_header_length);
  if (!valid) {
    impl_->last_error = EINVAL;
    ++impl_->refused;
    return;
  }
  RawSender& sender = version == 4 ? impl_->ipv4 : impl_->ipv6;
  if (sender.full()) impl_->refused += impl_->send(sender);
  if (version == 4)
    sender.add_ipv4(packet);
  else
    sender.add_ipv6(packet);
}

std::uint64_t Injector::flush() {
  const std::uint64_t refused = impl_->send(impl_->ipv4) + impl_->send(impl_->ipv6);
  return std::exchange(impl_->refused, 0) + refused;
}

void Injector::wait_for_room_until(Instant deadline) {
  impl_->patient_until = deadline;
}

int Injector::last_error() const {
  return impl_->last_error;
}

}  // namespace synward::io
