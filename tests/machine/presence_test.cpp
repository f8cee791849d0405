// Who else measures: processes that notice each other, and are forgotten however they end.

#include "machine/presence.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fixture.h"

namespace {

using ridge::Presence;
using ridge::machine::Tree;

// A process of its own that is present, tells once whom it sees, and stays until it is killed.
class Another {
 public:
  explicit Another(const std::string& path) {
    int pipe[2];
    if (::pipe(pipe) != 0) throw std::runtime_error("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      const Presence presence(path);
      const int64_t seen = presence.other().value_or(-1);
      (void)!::write(pipe[1], &seen, sizeof seen);
      for (;;) ::pause();
    }
    ::close(pipe[1]);
    if (::read(pipe[0], &seen_, sizeof seen_) != sizeof seen_) seen_ = -2;
    ::close(pipe[0]);
  }
  ~Another() { end(); }
  void end() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = -1;
  }
  int64_t pid() const { return pid_; }
  int64_t seen() const { return seen_; }

 private:
  pid_t pid_ = -1;
  int64_t seen_ = -2;
};

TEST(Presence, TwoNoticeEachOtherAndAKilledOneIsForgotten) {
  const Tree tree;
  const std::string path = tree.root() + "/lock";
  const Presence own(path);
  EXPECT_FALSE(own.other());
  for (int round = 0; round < 3; ++round) {
    Another another(path);
    EXPECT_EQ(another.seen(), ::getpid());
    EXPECT_EQ(own.other(), another.pid());
    EXPECT_EQ(own.other(), another.pid()) << "asking must not let go";
    another.end();  // kill -9
    EXPECT_FALSE(own.other());
  }
}

TEST(Presence, WhereNoFileCanBeNobodyIsNoticedAndNothingBreaks) {
  const Tree tree;
  EXPECT_FALSE(Presence(tree.root() + "/no/such/folder/lock").other());
  EXPECT_FALSE(Presence(tree.root()).other());
  tree.put("/target", "precious");
  std::filesystem::create_symlink(tree.root() + "/target", tree.root() + "/link");
  EXPECT_FALSE(Presence(tree.root() + "/link").other());
  std::string content;
  std::getline(std::ifstream(tree.root() + "/target"), content);
  EXPECT_EQ(content, "precious");
}

TEST(Presence, OthersCanReadTheFileWhateverTheUmask) {
  const Tree tree;
  const mode_t before = ::umask(077);
  const Presence own(tree.root() + "/lock");
  ::umask(before);
  using std::filesystem::perms;
  const auto mode = std::filesystem::status(tree.root() + "/lock").permissions();
  EXPECT_EQ(mode & perms::others_read, perms::others_read);
  EXPECT_EQ(std::filesystem::file_size(tree.root() + "/lock"), 0u);
}

}  // namespace
