"""Documents whose words stand in pictures, and answers under marks of two words, are no running text. The rows are ours."""

import io

import pytest

from data_prep.common.errors import UserError
from data_prep.prepare import Args, prepare

SENTENCE = "O paciente com asma grave deve ser reavaliado em duas semanas, com espirometria e registro de crises noturnas. "
PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\xdac"
    b"\xfc\xff\xff?\x03\x00\x08\xfc\x02\xfe\xa7\x9a\xa0\xa0\x00\x00\x00\x00IEND\xaeB`\x82"
)


def read(tmp_path, name: str, content: bytes) -> str:
    path = tmp_path / name
    path.write_bytes(content)
    prepare(Args(inputs=[str(path)], test_size=1, output_dir=str(tmp_path / "out")))
    return (tmp_path / "out/test.jsonl").read_text()


def docx_of(text: str, pictures: int) -> bytes:
    import docx

    document, out = docx.Document(), io.BytesIO()
    document.add_paragraph(text)
    for n in range(pictures):
        document.add_picture(io.BytesIO(PIXEL + bytes([n])))
    document.save(out)
    return out.getvalue()


def pdf_of(text: str, pictured: bool) -> bytes:
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, NumberObject

    writer, out = PdfWriter(), io.BytesIO()
    page = writer.add_blank_page(600, 800)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = writer._add_object(DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()}))
    content, image = DecodedStreamObject(), DecodedStreamObject()
    content.set_data(f"BT /F1 9 Tf 20 700 Td ({text}) Tj ET".encode())
    image.set_data(b"\x00")
    image.update({NameObject("/Subtype"): NameObject("/Image"), NameObject("/Width"): NumberObject(1)})
    resources = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})})
    if pictured:
        resources[NameObject("/XObject")] = DictionaryObject({NameObject("/I"): writer._add_object(image)})
    page[NameObject("/Resources")] = resources
    page[NameObject("/Contents")] = writer._add_object(content)
    writer.write(out)
    return out.getvalue()


def test_a_document_of_pictures_is_refused(tmp_path):
    for name, content in (("a.docx", docx_of("Prova", 3)), ("a.pdf", pdf_of("Digitalizado", True))):
        with pytest.raises(UserError, match="what it says stands in these"):
            read(tmp_path, name, content)


def test_a_picture_beside_text_and_a_short_text_without_one_stay(tmp_path):
    assert "espirometria" in read(tmp_path, "a.docx", docx_of(SENTENCE * 4, 2))
    assert "Nota breve" in read(tmp_path, "b.docx", docx_of("Nota breve sobre asma.", 0))
    assert "espirometria" in read(tmp_path, "a.pdf", pdf_of(SENTENCE, True))
    assert "Nota breve" in read(tmp_path, "b.pdf", pdf_of("Nota breve sobre asma.", False))


@pytest.mark.parametrize("mark", ["**Correct Answer**:", "- correct_answer:", "> Official answer (2023):", "参考答案："])
def test_answers_under_a_mark_of_two_words_are_asked_about(tmp_path, mark):
    text = "\n\n".join(f"### Step {n}\n{SENTENCE}\n{mark} controle {n}\n\n{SENTENCE}" for n in range(12))
    with pytest.raises(UserError, match="answers, each under a mark"):
        read(tmp_path, "key.md", text.encode())
    assert SENTENCE.split()[0] in read(tmp_path, "prose.md", text.replace(mark, "Depois,").encode())
