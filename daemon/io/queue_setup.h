// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: how a queue is bound and configured.
#pragma once
#include <expected>
#include <string>

#include "daemon/io/netlink.h"
#include "daemon/io/nfqueue.h"

namespace synward::io {

// What the kernel will copy of each packet: 0 would mean "all" to it.
std::uint32_t clipped_copy_range(const NfQueueOptions& options);

// A socket with the queue bound, its flags and buffers set. One sentence on failure.
std::expected<MnlSocket, std::string> set_up_queue(const NfQueueOptions& options,
                                                   int send_buffer_bytes);

}  // namespace synward::io
