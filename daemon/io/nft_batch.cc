// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/nft_batch.h"

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "daemon/io/netlink.h"

namespace synward::io {
namespace {

constexpr std::uint32_t begin_sequence = 0;
constexpr std::uint32_t first_step = 1;
constexpr std::size_t message_room = 128 * 1024;

struct Answer {
  std::uint32_t sequence;
  int error;
};

// The first error in a datagram of answers.
std::optional<Answer> first_error(const void* datagram, int length) {
  const auto* message = static_cast<const nlmsghdr*>(datagram);
  for (; mnl_nlmsg_ok(message, length); message = mnl_nlmsg_next(message, &length)) {
    if (message->nlmsg_type != NLMSG_ERROR) continue;
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
    if (error->error != 0) return Answer{message->nlmsg_seq, -error->error};
  }
  return std::nullopt;
}

// The kernel works synchronously: when the send returns, every answer is in the socket, and no
// answer means that the transaction was committed. All are read, so that none is left over for
// the next request; the first is the cause, later ones often its consequences.
std::optional<Answer> read_errors(int fd) {
  std::optional<Answer> found;
  alignas(nlmsghdr) std::array<std::uint8_t, 32768> datagram;
  for (;;) {
    const ssize_t length = recv(fd, datagram.data(), datagram.size(), MSG_DONTWAIT);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return found;
    if (length < 0) {
      if (!found) found = Answer{begin_sequence, errno};
      if (errno != ENOBUFS) return found;
      continue;
    }
    const auto error = first_error(datagram.data(), static_cast<int>(length));
    if (!found) found = error;
  }
}

}  // namespace

NftBatch::NftBatch() : scratch_(message_room) {
  nftnl_batch_begin(reinterpret_cast<char*>(scratch_.data()), begin_sequence);
  append(reinterpret_cast<const nlmsghdr*>(scratch_.data()));
}

nlmsghdr* NftBatch::start(const NftStep& step) {
  return nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch_.data()), step.type, step.family,
                               step.flags, first_step + static_cast<std::uint32_t>(steps_.size()));
}

void NftBatch::finish(const nlmsghdr* message, NftStep step) {
  append(message);
  steps_.push_back(std::move(step));
}

void NftBatch::append(const nlmsghdr* message) {
  bytes_.insert(bytes_.end(), scratch_.begin(), scratch_.begin() + message->nlmsg_len);
}

NftFailure NftBatch::failure(std::uint32_t sequence, int error) const {
  const std::size_t index = sequence - first_step;  // wraps to a large number for the begin
  if (index >= steps_.size()) return {.error = error};
  return {.error = error, .what = steps_[index].what, .need = steps_[index].need};
}

std::expected<void, NftFailure> NftBatch::commit(mnl_socket* socket) {
  nftnl_batch_end(reinterpret_cast<char*>(scratch_.data()),
                  first_step + static_cast<std::uint32_t>(steps_.size()));
  append(reinterpret_cast<const nlmsghdr*>(scratch_.data()));
  const int fd = mnl_socket_get_fd(socket);
  force_send_buffer(fd, static_cast<int>(bytes_.size() + message_room));
  force_receive_buffer(fd, 1 << 20);
  if (mnl_socket_sendto(socket, bytes_.data(), bytes_.size()) < 0)
    return std::unexpected(failure(begin_sequence, errno));
  if (const auto answer = read_errors(fd))
    return std::unexpected(failure(answer->sequence, answer->error));
  return {};
}

}  // namespace synward::io
