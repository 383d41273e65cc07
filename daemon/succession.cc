// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/succession.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "daemon/service/log.h"

namespace synward {
namespace {

using flow::LiveTuple;
using handshake::SpentCookies;
using Bucket = SpentCookies::Bucket;

constexpr const char* spent_name = "spent-cookies";
constexpr const char* connections_name = "connections";
constexpr const char* orphans_name = "orphans";

constexpr FileLayout tuples_layout{
    .kind = 0x4c504c54, .version = 1, .record_size = sizeof(LiveTuple), .secret = 0};

// As it was left; what is of no use is said, and the same as nothing.
std::optional<MappedFile> open_left(const std::string& path, const FileLayout& layout) {
  auto file = MappedFile::open(path, layout);
  if (file) return std::move(*file);
  if (!file.error().empty()) service::log_warning("what the last process left: {}", file.error());
  return std::nullopt;
}

flow::HashKey spent_key(const Succession::Wanted& wanted) {
  return handshake::derive_hash_key(wanted.master_key, handshake::Purpose::spent_cookies);
}

}  // namespace

Succession::Succession(std::string directory, const Wanted& wanted, Instant now)
    : directory_(std::move(directory)) {
  const bool mine = lock_directory();
  find_spent_cookies(wanted, mine, now);
  if (mine) find_connections(wanted, now);
  if (unkept_.empty()) return;
  service::log_warning(
      "should this process die, the next one will not know all of its connections and spent "
      "cookies: {}",
      unkept_);
}

bool Succession::lock_directory() {
  std::error_code ignored;
  std::filesystem::create_directories(directory_, ignored);
  lock_ = io::Descriptor(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock_.valid() && flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return true;
  unkept_ =
      directory_ + ": " + (errno == EWOULDBLOCK ? "another synward uses it" : std::strerror(errno));
  return false;
}

std::optional<MappedFile> Succession::make_file(const char* name, const FileLayout& layout,
                                                std::uint64_t records) {
  auto file = MappedFile::make(path(name), layout, records);
  if (file) return std::move(*file);
  if (unkept_.empty()) unkept_ = file.error();  // the next ones fail for the same reason
  return std::nullopt;
}

// What the last process left goes on being used, or goes over where another number is wanted.
void Succession::find_spent_cookies(const Wanted& wanted, bool mine, Instant now) {
  const flow::HashKey file_key =
      handshake::derive_hash_key(wanted.master_key, handshake::Purpose::spent_cookies_file);
  const FileLayout layout{
      .kind = 0x544e5053, .version = 1, .record_size = sizeof(Bucket), .secret = file_key[0]};
  const std::uint64_t wanted_buckets = SpentCookies::buckets_for(wanted.spent_cookies);

  std::optional<MappedFile> left;
  if (mine) left = open_left(path(spent_name), layout);
  if (left) SpentCookies::discard_after(left->records<Bucket>(), now + handshake::cookie_life_max);
  if (left && left->records<Bucket>().size() == wanted_buckets) {
    spent_file_ = std::exchange(left, std::nullopt);
  } else if (mine) {
    spent_file_ = make_file(spent_name, layout, wanted_buckets);
  }
  if (!spent_file_) spent_memory_.emplace(wanted_buckets);
  const std::span<Bucket> buckets = spent_file_
                                        ? spent_file_->records<Bucket>()
                                        : std::span(spent_memory_->data(), spent_memory_->size());
  spent_ = std::make_shared<SpentCookies>(buckets, spent_key(wanted));
  if (left) spent_->take_over(left->records<Bucket>(), now);
}

// All that the last process had joined, and of what it knew itself of those before so many that a
// process which dies again and again does not leave more and more.
std::vector<LiveTuple> Succession::read_connections(std::uint64_t limit) const {
  std::vector<LiveTuple> left;
  for (const char* const name : {connections_name, orphans_name}) {
    const auto file = open_left(path(name), tuples_layout);
    if (!file) continue;
    for (const LiveTuple& tuple : file->records<LiveTuple>()) {
      if (name == orphans_name && left.size() >= limit) break;
      if (tuple.halves != 0) left.push_back(tuple);
    }
  }
  return left;
}

// What was left becomes one file; then this process gets a fresh one. Nothing of a file stays that
// cannot be made anew: it would be taken for what this process leaves. Who dies between the two
// leaves some tuples twice, which is harmless.
void Succession::find_connections(const Wanted& wanted, Instant now) {
  std::vector<LiveTuple> left = read_connections(wanted.connections);
  if (!left.empty()) {
    service::log_warning(
        "a process has died with {} connections: both ends are reset at their next segment",
        left.size());
    orphans_file_ = make_file(orphans_name, tuples_layout, left.size());
    if (orphans_file_) {
      std::ranges::copy(left, orphans_file_->records<LiveTuple>().begin());
    } else {
      orphans_memory_ = std::move(left);
    }
    orphans_ = std::make_shared<flow::Orphans>(
        orphans_file_ ? orphans_file_->records<LiveTuple>() : std::span(orphans_memory_),
        wanted.hash_key, now);
    orphans_left_ = true;
  }
  if (!orphans_file_) unlink(path(orphans_name).c_str());
  unlink(path(connections_name).c_str());
  tuples_file_ = make_file(connections_name, tuples_layout, wanted.connections);
  if (tuples_file_) tuples_ = tuples_file_->records<LiveTuple>();
}

std::span<LiveTuple> Succession::take_tuples(std::uint64_t connections) {
  const auto taken = tuples_.first(std::min<std::size_t>(connections, tuples_.size()));
  tuples_ = tuples_.subspan(taken.size());
  return taken;
}

bool Succession::end_orphans(Instant before) {
  const bool expired = orphans_->expire(before);
  const bool left = !orphans_->empty();
  const bool ended = std::exchange(orphans_left_, left) != left;
  return expired || ended;
}

void Succession::nothing_is_left() {
  if (tuples_file_) unlink(path(connections_name).c_str());
  if (orphans_file_ && orphans_->empty()) unlink(path(orphans_name).c_str());
}

}  // namespace synward
