// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: the netfilter netlink socket behind an owner.
#pragma once
#include <libmnl/libmnl.h>

#include <expected>
#include <memory>

namespace synward::io {

struct MnlSocketCloser {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using MnlSocket = std::unique_ptr<mnl_socket, MnlSocketCloser>;

// A bound NETLINK_NETFILTER socket, closed on exec; errno on failure. Error answers do not echo
// the request (NETLINK_CAP_ACK): a refused verdict would otherwise send its 64 KiB payload back.
std::expected<MnlSocket, int> open_netfilter_socket();

// SO_SNDBUFFORCE / SO_RCVBUFFORCE (CAP_NET_ADMIN), else as much as the plain options give.
void force_send_buffer(int fd, int bytes);
void force_receive_buffer(int fd, int bytes);

}  // namespace synward::io
