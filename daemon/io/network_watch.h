// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <expected>

#include "daemon/io/netlink.h"

namespace synward::io {

// Tells that links or addresses of this network namespace have changed (rtnetlink), not how: who
// asks reads all of it anew, which is right too when the kernel had more to say than the socket
// holds.
class NetworkWatch {
 public:
  // errno on failure.
  static std::expected<NetworkWatch, int> open();
  // Whether anything has changed since the last call, or since open(). Does not wait.
  bool changed();

 private:
  explicit NetworkWatch(MnlSocket socket) : socket_(std::move(socket)) {}
  MnlSocket socket_;
};

}  // namespace synward::io
