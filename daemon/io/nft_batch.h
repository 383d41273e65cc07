// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: one nf_tables transaction.
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

struct nlmsghdr;
struct mnl_socket;

namespace synward::io {

// What a step needs of the kernel that not every kernel has.
enum class NftNeed { nothing, queue, reassembly };

struct NftFailure {
  int error = 0;                    // errno
  std::string what{};               // the step that failed; empty: the transaction as a whole
  NftNeed need = NftNeed::nothing;  // of that step
};

// One message of the transaction: what it does (for error sentences) and its netlink header.
struct NftStep {
  std::string what{};
  std::uint16_t type = 0;  // NFT_MSG_*
  std::uint16_t family = 0;
  std::uint16_t flags = 0;
  NftNeed need = NftNeed::nothing;
};

// Collects messages and commits them all or none.
class NftBatch {
 public:
  NftBatch();
  // `build` puts the attributes behind the header; at most 64 KiB of them.
  template <typename Build>
  void add(NftStep step, Build build) {
    nlmsghdr* const message = start(step);
    build(message);
    finish(message, std::move(step));
  }
  bool empty() const { return steps_.empty(); }
  // Sets of a transaction are told apart by it.
  std::uint32_t next_set_id() { return ++set_id_; }
  std::expected<void, NftFailure> commit(mnl_socket* socket);

 private:
  nlmsghdr* start(const NftStep& step);
  void finish(const nlmsghdr* message, NftStep step);
  void append(const nlmsghdr* message);
  NftFailure failure(std::uint32_t sequence, int error) const;

  std::vector<std::uint8_t> scratch_;
  std::vector<std::uint8_t> bytes_;
  std::uint32_t set_id_ = 0;
  std::vector<NftStep> steps_;  // that with sequence number n at n - first_step
};

}  // namespace synward::io
