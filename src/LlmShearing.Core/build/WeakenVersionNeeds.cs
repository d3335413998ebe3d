// A build task, compiled by MSBuild where it is used (LlmShearing.Core.targets): writes a copy of a shared library in which the need for versions of
// libstdc++ that this machine lacks is weak, so that the dynamic linker loads it. Only versions of which nothing is ever bound are weakened.
// Structures: the ELF-64 specification and the Linux Standard Base, "Symbol Versioning".
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace LlmShearing.Build
{
    public class WeakenVersionNeeds : Task
    {
        private const string Prefix = "GLIBCXX_3.4.";

        /// <summary>Libraries to look at.</summary>
        [Required]
        public ITaskItem[] Libraries { get; set; }

        /// <summary>Folder for the copies.</summary>
        [Required]
        public string OutputFolder { get; set; }

        /// <summary>Weakens whatever this machine has.</summary>
        public bool Force { get; set; }

        /// <summary>Those of the libraries that have a copy.</summary>
        [Output]
        public ITaskItem[] Replaced { get; set; }

        /// <summary>The copies, with the metadata of their originals.</summary>
        [Output]
        public ITaskItem[] Weakened { get; set; }

        public override bool Execute()
        {
            var replaced = new List<ITaskItem>();
            var weakened = new List<ITaskItem>();
            int known = Force ? NewestKnown : NewestOfThisMachine();
            foreach (ITaskItem item in Libraries)
            {
                string source = item.GetMetadata("FullPath");
                byte[] bytes = File.ReadAllBytes(source);
                List<string> names;
                try
                {
                    names = Weaken(bytes, known);
                }
                catch (Exception e) when (e is InvalidDataException || e is ArgumentException || e is OverflowException || e is IndexOutOfRangeException)
                {
                    Log.LogWarning("{0} is no 64-bit ELF library that can be read ({1}); it is used as it is. LlmShearingWeakenTorchSharp=false switches this step off.", source, e.Message);
                    continue;
                }

                if (names.Count == 0)
                    continue;
                string target = Path.Combine(OutputFolder, Path.GetFileName(source));
                if (!File.Exists(target) || !File.ReadAllBytes(target).SequenceEqual(bytes))
                {
                    // A new file under a new name first: an output may be a hard link to the old one, and a build may end at any moment.
                    Directory.CreateDirectory(OutputFolder);
                    string part = target + "." + Guid.NewGuid().ToString("N");
                    File.WriteAllBytes(part, bytes);
                    if (File.Exists(target))
                        File.Delete(target);
                    File.Move(part, target);
                    Log.LogMessage(MessageImportance.High, "LlmShearing: {0} asks for {1}; the output gets a copy that does without (nothing of it is called).", Path.GetFileName(source), string.Join(", ", names));
                }

                var copy = new TaskItem(target);
                item.CopyMetadataTo(copy);
                replaced.Add(item);
                weakened.Add(copy);
            }

            Replaced = replaced.ToArray();
            Weakened = weakened.ToArray();
            return !Log.HasLoggedErrors;
        }

        // When forced, needs for what is newer than GCC 11 are weakened, where nothing of theirs is bound.
        private const int NewestKnown = 29;

        // The newest GLIBCXX_3.4.N in the machine's libstdc++; that of GCC 11 when there is none to be found, because a weak need does no harm.
        private static int NewestOfThisMachine()
        {
            string[] folders = (Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") ?? "").Split(new[] { ':' }, StringSplitOptions.RemoveEmptyEntries)
                .Concat(new[] { "/usr/local/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib" }).ToArray();
            string path = folders.Select(f => Path.Combine(f, "libstdc++.so.6")).FirstOrDefault(File.Exists);
            if (path == null)
                return NewestKnown;
            string text = Encoding.GetEncoding(28591).GetString(File.ReadAllBytes(path));
            int newest = 0;
            for (int at = text.IndexOf(Prefix, StringComparison.Ordinal); at >= 0; at = text.IndexOf(Prefix, at + Prefix.Length, StringComparison.Ordinal))
            {
                int end = at + Prefix.Length;
                while (end < text.Length && end < at + Prefix.Length + 4 && char.IsDigit(text[end]))
                    end++;
                int number;
                if (text[end] == '\0' && int.TryParse(text.Substring(at + Prefix.Length, end - at - Prefix.Length), out number))
                    newest = Math.Max(newest, number);
            }

            return newest;
        }

        // Sets VER_FLG_WEAK at every need for GLIBCXX_3.4.N with N above `known` of which no symbol has a relocation; gives their names.
        private static List<string> Weaken(byte[] file, int known)
        {
            if (file.Length < 64 || BitConverter.ToUInt32(file, 0) != 0x464C457F || file[4] != 2 || file[5] != 1)
                throw new InvalidDataException("no little-endian ELF-64 file");
            List<Section> sections = Sections(file);
            Section needs = sections.FirstOrDefault(s => s.Type == 0x6ffffffe), versions = sections.FirstOrDefault(s => s.Type == 0x6fffffff);
            var names = new List<string>();
            if (needs == null || versions == null)
                return names;
            HashSet<int> bound = BoundVersions(file, sections, versions);
            Section strings = sections[needs.Link];
            long need = needs.Offset;
            for (int i = 0; i < needs.Info; i++)
            {
                int count = BitConverter.ToUInt16(file, Checked(need + 2));
                long auxiliary = need + BitConverter.ToUInt32(file, Checked(need + 8));
                for (int j = 0; j < count; j++)
                {
                    string name = Text(file, strings.Offset + BitConverter.ToUInt32(file, Checked(auxiliary + 8)));
                    int index = BitConverter.ToUInt16(file, Checked(auxiliary + 6)) & 0x7fff, number;
                    bool newer = name.StartsWith(Prefix, StringComparison.Ordinal) && int.TryParse(name.Substring(Prefix.Length), out number) && number > known;
                    if (newer && !bound.Contains(index) && (file[Checked(auxiliary + 4)] & 2) == 0)
                    {
                        file[auxiliary + 4] |= 2;
                        names.Add(name);
                    }

                    long further = BitConverter.ToUInt32(file, Checked(auxiliary + 12));
                    if (further == 0)
                        break;
                    auxiliary += further;
                }

                long next = BitConverter.ToUInt32(file, Checked(need + 12));
                if (next == 0)
                    break;
                need += next;
            }

            return names;
        }

        // Version indices of the symbols that a relocation names: those the loader will look for.
        private static HashSet<int> BoundVersions(byte[] file, List<Section> sections, Section versions)
        {
            var bound = new HashSet<int>();
            foreach (Section table in sections.Where(s => s.Type == 4 || s.Type == 9))   // SHT_RELA, SHT_REL
            {
                int size = table.Type == 4 ? 24 : 16;
                for (long at = table.Offset; at + size <= table.Offset + table.Size; at += size)
                {
                    long symbol = BitConverter.ToInt64(file, Checked(at + 8)) >> 32 & 0xffffffff;
                    if (symbol != 0 && sections[table.Link].Type == 11)                    // SHT_DYNSYM
                        bound.Add(BitConverter.ToUInt16(file, Checked(versions.Offset + (2 * symbol))) & 0x7fff);
                }
            }

            return bound;
        }

        private static List<Section> Sections(byte[] file)
        {
            long start = BitConverter.ToInt64(file, 40);
            int size = BitConverter.ToUInt16(file, 58), count = BitConverter.ToUInt16(file, 60);
            var sections = new List<Section>();
            for (int i = 0; i < count; i++)
            {
                int at = Checked(start + ((long)i * size));
                sections.Add(new Section
                {
                    Type = BitConverter.ToUInt32(file, at + 4),
                    Offset = BitConverter.ToInt64(file, at + 24),
                    Size = BitConverter.ToInt64(file, at + 32),
                    Link = (int)BitConverter.ToUInt32(file, at + 40),
                    Info = (int)BitConverter.ToUInt32(file, at + 44),
                });
            }

            return sections;
        }

        private static int Checked(long offset)
        {
            if (offset < 0 || offset > int.MaxValue)
                throw new InvalidDataException("an offset points outside the file");
            return (int)offset;
        }

        private static string Text(byte[] file, long offset)
        {
            int start = Checked(offset), end = Array.IndexOf(file, (byte)0, start);
            return Encoding.ASCII.GetString(file, start, end - start);
        }

        private class Section
        {
            public uint Type;
            public long Offset;
            public long Size;
            public int Link;
            public int Info;
        }
    }
}
