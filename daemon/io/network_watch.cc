// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/network_watch.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace synward::io {

std::expected<NetworkWatch, int> NetworkWatch::open() {
  MnlSocket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return std::unexpected(errno);
  constexpr unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) < 0) return std::unexpected(errno);
  return NetworkWatch(std::move(socket));
}

bool NetworkWatch::changed() {
  bool news = false;
  std::array<char, 8192> message;  // its text is not looked at, so it may be cut off
  for (;;) {
    const ssize_t got = recv(mnl_socket_get_fd(socket_.get()), message.data(), message.size(), 0);
    // ENOBUFS: some were lost, and there may be more.
    news = news || got >= 0 || errno == ENOBUFS;
    if (got < 0 && errno != ENOBUFS && errno != EINTR) return news;
  }
}

}  // namespace synward::io
