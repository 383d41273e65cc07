// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/nfqueue.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <vector>

#include "daemon/io/netlink.h"
#include "daemon/io/queue_setup.h"
#include "daemon/io/verdict_batch.h"

namespace synward::io {
namespace {

constexpr std::size_t attribute_room = 512;  // all that comes before the payload is below 300
constexpr int send_buffer_bytes = 1 << 20;

// One buffer for all datagrams of a batch. The stride is an odd number of cache lines: with a
// multiple of the page size all 64 headers would fight for the same few L1 sets.
std::size_t stride_for(std::uint32_t copy_range) {
  constexpr std::size_t line = 64;
  const std::size_t lines = (copy_range + attribute_room + line - 1) / line;
  return (lines | 1) * line;
}

}  // namespace

struct NfQueue::Impl {
  Impl(MnlSocket opened, const NfQueueOptions& options);

  std::size_t receive_once();
  void take(std::span<std::uint8_t> datagram, bool truncated);
  void add(const Verdict& verdict);
  void flush();
  bool send(std::span<iovec> pieces);
  void drop_pending();

  MnlSocket socket;
  int fd;
  std::uint16_t number;
  std::size_t stride;
  std::vector<std::uint8_t> buffer;
  std::array<iovec, batch_size> slots{};
  std::array<mmsghdr, batch_size> headers{};
  std::array<QueuedPacket, batch_size> packets;
  std::size_t packet_count = 0;
  VerdictBatch verdicts;
  std::uint64_t send_errors = 0;
  std::uint64_t refused = 0;
};

NfQueue::Impl::Impl(MnlSocket opened, const NfQueueOptions& options)
    : socket(std::move(opened)),
      fd(mnl_socket_get_fd(socket.get())),
      number(options.number),
      stride(stride_for(clipped_copy_range(options))),
      buffer(stride * batch_size),
      verdicts(options.number) {
  for (std::size_t i = 0; i < batch_size; ++i) {
    slots[i] = {.iov_base = buffer.data() + i * stride, .iov_len = stride};
    headers[i].msg_hdr.msg_iov = &slots[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
}

// Returns the number of datagrams read. The sender is not checked: only the kernel, or a process
// with CAP_NET_ADMIN, can send to a NETLINK_NETFILTER port.
std::size_t NfQueue::Impl::receive_once() {
  int count = 0;
  do {
    // ENOBUFS cannot come with NETLINK_NO_ENOBUFS, but was seen to end other programs: read on.
    count = recvmmsg(fd, headers.data(), batch_size, MSG_DONTWAIT, nullptr);
  } while (count < 0 && (errno == EINTR || errno == ENOBUFS));
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const bool truncated = (headers[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    take({buffer.data() + index * stride, headers[index].msg_len}, truncated);
  }
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

void NfQueue::Impl::take(std::span<std::uint8_t> datagram, bool truncated) {
  const ParsedMessage message = parse_message(datagram);
  if (message.kind == MessageKind::error) ++refused;
  if (message.kind != MessageKind::packet) return;
  if (truncated) {
    // Cannot be with the room that attributes have; but a packet without verdict would stay.
    ++send_errors;
    add({.id = message.packet.id});
    return;
  }
  packets[packet_count++] = message.packet;
}

void NfQueue::Impl::add(const Verdict& verdict) {
  if (verdict.payload.size() > VerdictBatch::max_payload) {
    ++send_errors;
    verdicts.add({.id = verdict.id});
  } else {
    verdicts.add(verdict);
  }
  if (verdicts.full()) flush();
}

void NfQueue::Impl::flush() {
  if (verdicts.empty()) return;
  if (!send(verdicts.pieces())) drop_pending();
  verdicts.clear();
}

// The kernel executes the messages before sendmsg returns; there is nothing to wait for.
bool NfQueue::Impl::send(std::span<iovec> pieces) {
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  ssize_t sent = 0;
  do {
    sent = sendmsg(fd, &message, 0);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

// Out of memory for one big message: free the packets with small ones, one by one.
void NfQueue::Impl::drop_pending() {
  send_errors += verdicts.ids().size();
  const std::vector<std::uint32_t> ids(verdicts.ids().begin(), verdicts.ids().end());
  for (const std::uint32_t id : ids) {
    verdicts.clear();
    verdicts.add({.id = id});
    send(verdicts.pieces());
  }
}

NfQueue::NfQueue(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NfQueue::NfQueue(NfQueue&&) noexcept = default;
NfQueue& NfQueue::operator=(NfQueue&&) noexcept = default;
NfQueue::~NfQueue() = default;

std::expected<NfQueue, std::string> NfQueue::open(const NfQueueOptions& options) {
  auto socket = set_up_queue(options, send_buffer_bytes);
  if (!socket) return std::unexpected(std::move(socket.error()));
  return NfQueue(std::make_unique<Impl>(std::move(*socket), options));
}

int NfQueue::fd() const {
  return impl_->fd;
}
std::uint16_t NfQueue::number() const {
  return impl_->number;
}

std::span<QueuedPacket> NfQueue::receive() {
  impl_->packet_count = 0;
  // A batch of nothing but errors must not look like an empty queue.
  while (impl_->receive_once() == batch_size && impl_->packet_count == 0) {
  }
  return {impl_->packets.data(), impl_->packet_count};
}

void NfQueue::drop(std::uint32_t id) {
  impl_->add({.id = id});
}

void NfQueue::accept(std::uint32_t id) {
  impl_->add({.id = id, .accept = true});
}

void NfQueue::accept(std::uint32_t id, std::uint32_t mark, std::span<const std::uint8_t> payload) {
  impl_->add({.id = id, .accept = true, .mark = mark, .payload = payload});
}

void NfQueue::hand_over(std::uint32_t id, const NfQueue& other) {
  impl_->add({.id = id, .to_queue = other.number()});
}

void NfQueue::flush() {
  impl_->flush();
}
std::uint64_t NfQueue::send_errors() const {
  return impl_->send_errors;
}
std::uint64_t NfQueue::refused_verdicts() const {
  return impl_->refused;
}

}  // namespace synward::io
