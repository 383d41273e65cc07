// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/queue_setup.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/capability.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "daemon/io/capability.h"
#include "daemon/io/packet_message.h"
#include "daemon/io/queue_holder.h"
#include "daemon/io/verdict_batch.h"

namespace synward::io {
namespace {

constexpr std::uint32_t bind_sequence = 1;

// A packet that arrived between the bind and the end of the set-up (a rule was there already):
// nobody will see it, so it must not wait for ever.
void drop_packet(int fd, std::uint16_t queue, std::uint32_t id) {
  std::array<char, 64> request;
  nlmsghdr* message = nfq_nlmsg_put(request.data(), NFQNL_MSG_VERDICT, queue);
  nfq_nlmsg_verdict_put(message, static_cast<int>(id), NF_DROP);
  send(fd, message, message->nlmsg_len, 0);
}

// Everything in one message: no packet can meet a queue that is bound but not yet configured.
ssize_t send_setup(mnl_socket* socket, const NfQueueOptions& options) {
  std::array<char, 256> request;
  nlmsghdr* message = nfq_nlmsg_put(request.data(), NFQNL_MSG_CONFIG, options.number);
  message->nlmsg_flags |= NLM_F_ACK;
  message->nlmsg_seq = bind_sequence;
  nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
  nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET,
                           static_cast<int>(clipped_copy_range(options)));
  nfq_nlmsg_cfg_put_qmaxlen(message, options.max_length);
  if (options.gso) {
    mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
    mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
  }
  return mnl_socket_sendto(socket, message, message->nlmsg_len);
}

// The kernel's answer to send_setup: errno, 0 if all is well.
int read_answer(int fd, std::uint16_t queue) {
  std::array<std::uint8_t, 2048> datagram;
  for (;;) {
    const ssize_t length = recv(fd, datagram.data(), datagram.size(), 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    const ParsedMessage message =
        parse_message({datagram.data(), static_cast<std::size_t>(length)});
    if (message.kind == MessageKind::packet)
      drop_packet(fd, queue, message.packet.id);
    else if (message.sequence == bind_sequence)
      return message.error;
  }
}

std::string missing_module(std::uint16_t queue) {
  return fmt::format(
      "queue {}: the kernel has no packet queues (nfnetlink_queue); run `modprobe "
      "nfnetlink_queue`",
      queue);
}

std::string explain(std::uint16_t queue, int error) {
  if (error == EBUSY || error == EPERM) {
    if (const auto holder = queue_holder(queue))
      return fmt::format(
          "queue {}: already in use by {}; stop it, or set another `queue_start` in the "
          "configuration",
          queue, *holder);
    if (!has_capability(CAP_NET_ADMIN))
      return fmt::format(
          "queue {}: not permitted: CAP_NET_ADMIN is missing; add it to AmbientCapabilities= or "
          "run under the shipped unit",
          queue);
    return fmt::format(
        "queue {}: already in use by another process; stop it, or set another `queue_start` in "
        "the configuration",
        queue);
  }
  // nfnetlink answers EINVAL for a subsystem that it does not have.
  const bool absent = access("/proc/self/net/netfilter/nfnetlink_queue", F_OK) != 0;
  if (absent || error == EOPNOTSUPP || error == EPROTONOSUPPORT) return missing_module(queue);
  return fmt::format("queue {}: cannot be bound: {}", queue, std::strerror(error));
}

}  // namespace

std::uint32_t clipped_copy_range(const NfQueueOptions& options) {
  return std::clamp<std::uint32_t>(options.copy_range, 1, VerdictBatch::max_payload);
}

std::expected<MnlSocket, std::string> set_up_queue(const NfQueueOptions& options,
                                                   int send_buffer_bytes) {
  auto socket = open_netfilter_socket();
  if (!socket) return std::unexpected(explain(options.number, socket.error()));
  const int fd = mnl_socket_get_fd(socket->get());
  force_receive_buffer(fd, options.receive_buffer_bytes);
  force_send_buffer(fd, send_buffer_bytes);
  int on = 1;
  mnl_socket_setsockopt(socket->get(), NETLINK_NO_ENOBUFS, &on, sizeof on);
  if (send_setup(socket->get(), options) < 0)
    return std::unexpected(explain(options.number, errno));
  if (const int error = read_answer(fd, options.number); error != 0)
    return std::unexpected(explain(options.number, error));
  return std::move(*socket);
}

}  // namespace synward::io
