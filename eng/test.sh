#!/usr/bin/env bash
# Runs every test project of the built solution and adds up the results. Last line: N passed, N failed, N skipped.
# Extra arguments go to dotnet test.
set -uo pipefail
cd "$(dirname "$0")/.."
results=artifacts/test-results
rm -rf "$results"
mkdir -p "$results"
passed=0 failed=0 skipped=0 broken=0

for project in tests/*.Tests/*.csproj; do
  name=$(basename "$project" .csproj)
  echo "== $name"
  dotnet test "$project" -c Release --no-build --nologo -v quiet \
    --logger "trx;LogFileName=$name.trx" --logger "console;verbosity=minimal" --results-directory "$results" "$@"
  status=$?
  trx="$results/$name.trx"
  if [ -f "$trx" ]; then
    counters=$(grep -o '<Counters [^>]*>' "$trx" | head -n 1)
    value() { printf '%s' "$counters" | grep -o " $1=\"[0-9]*\"" | grep -o '[0-9]*' ; }
    total=$(value total) executed=$(value executed) p=$(value passed) f=$(value failed)
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + total - executed))
    # A run that aborts reports no failed test: it must still count as a failure.
    [ "$status" -ne 0 ] && [ "$f" -eq 0 ] && broken=$((broken + 1))
    grep -o 'outcome="NotExecuted"' "$trx" >/dev/null && grep -A6 'outcome="NotExecuted"' "$trx" | grep -o '<Message>[^<]*' | sed 's/<Message>/   skipped: /' | sort | uniq -c
  else
    broken=$((broken + 1))
  fi
  [ "$status" -ne 0 ] && echo "   $name ended with exit code $status"
done

[ "$broken" -gt 0 ] && echo "$broken test project(s) did not finish; counted as failed."
echo "$passed passed, $((failed + broken)) failed, $skipped skipped"
[ "$((failed + broken))" -eq 0 ] && [ "$passed" -gt 0 ]
