// Rows that lie in a file or folder.
namespace LlmShearing.Data.Rows;

internal interface IStoredRows
{
    /// <summary>The file or folder, for messages.</summary>
    string Place { get; }
}
