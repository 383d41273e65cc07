// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/io/descriptor.h"
#include "daemon/mapped_file.h"
#include "proxy/flow/orphans.h"
#include "proxy/flow/zeroed_array.h"
#include "proxy/handshake/keyring.h"
#include "proxy/handshake/spent_cookies.h"

namespace synward {

inline constexpr const char* run_directory = "/run/synward";

// What one process leaves to the next one, however it ends: cookies that were spent (C8), and who
// was connected (T6). Files in memory, beside the time of the first start. Where they cannot be
// had, one warning says so, and everything works but that.
class Succession {
 public:
  struct Wanted {
    handshake::MasterKey master_key{};
    std::uint64_t spent_cookies = 0;
    std::uint64_t connections = 0;
    flow::HashKey hash_key{};  // of what lives in this process only
  };
  // std::bad_alloc if even the memory of its own cannot be had.
  Succession(std::string directory, const Wanted& wanted, Instant now);

  // Shared by all workers; never null. They must go before this.
  const std::shared_ptr<handshake::SpentCookies>& spent_cookies() const { return spent_; }
  const std::shared_ptr<flow::Orphans>& orphans() const { return orphans_; }
  // Room for so many connections of this process, behind those that were asked for before; empty if
  // there is none.
  std::span<flow::LiveTuple> take_tuples(std::uint64_t connections);

  // Orphans of before that are forgotten. True if the rules have fewer to queue for, now that some
  // were, or the last one knows.
  bool end_orphans(Instant before);

  // The ordered stop: this process has left no connection.
  void nothing_is_left();

 private:
  bool lock_directory();
  // nullopt if there is no room: then `unkept_` says why.
  std::optional<MappedFile> make_file(const char* name, const FileLayout& layout,
                                      std::uint64_t records);
  void find_spent_cookies(const Wanted& wanted, bool mine, Instant now);
  std::vector<flow::LiveTuple> read_connections(std::uint64_t limit) const;
  void find_connections(const Wanted& wanted, Instant now);
  std::string path(const char* name) const { return directory_ + "/" + name; }

  const std::string directory_;
  std::string unkept_;   // why the next process will not know of this one, if so
  io::Descriptor lock_;  // of the directory: two daemons would write over each other
  std::optional<MappedFile> spent_file_, orphans_file_, tuples_file_;
  std::optional<flow::ZeroedArray<handshake::SpentCookies::Bucket>> spent_memory_;
  std::shared_ptr<handshake::SpentCookies> spent_;
  std::shared_ptr<flow::Orphans> orphans_ = std::make_shared<flow::Orphans>();
  std::vector<flow::LiveTuple> orphans_memory_;
  bool orphans_left_ = false;          // when end_orphans looked last
  std::span<flow::LiveTuple> tuples_;  // not taken yet
};

}  // namespace synward
