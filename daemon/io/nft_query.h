// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: questions to nf_tables.
#pragma once
#include <cstdint>
#include <expected>

struct mnl_socket;

namespace synward::io {

struct NftTableName {
  const char* table;
  std::uint16_t family;
};

// Packets of a named counter; errno on failure.
std::expected<std::uint64_t, int> query_counter(mnl_socket* socket, NftTableName table,
                                                const char* counter);
// The netlink port of the table's owner, 0 if it has none; errno on failure.
std::expected<std::uint32_t, int> query_owner(mnl_socket* socket, NftTableName table);

}  // namespace synward::io
